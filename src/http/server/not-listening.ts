import { StartError } from '../../errors.ts'

/** The reason why listening failed, in a sentence that says what to do. */
export function notListening(error: unknown, { host, port }: { host: string; port: number }): StartError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE')
    return new StartError(
      `Port ${port} is taken: stop what uses it, or set PORT to another (0 picks a free one).`,
      69,
      error,
    )
  if (code === 'EACCES')
    return new StartError(`Port ${port} needs more rights: set PORT to one above 1023.`, 69, error)
  return new StartError(`HOST ${host} is no address of this machine: set HOST to one that is.`, 69, error)
}
