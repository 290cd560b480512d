import { StartError } from '../errors.ts'
import { saidByNeon } from './failures.ts'

/** What to do about each way in which a database refuses or cannot be reached, by SQLSTATE or Node's code. */
const sentences: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its host name does not resolve: check the host',
  EAI_AGAIN: 'its host name does not resolve right now: check the host and the network',
  ECONNREFUSED: 'nothing listens at its host and port: start the database, or correct them',
  ECONNRESET:
    'the connection was cut: check that a Postgres listens there and whether it wants sslmode=require',
  ETIMEDOUT: 'nothing there answers as a Postgres does: check the host, the port and the firewall',
  '08P01': 'a pooler in front of the database refuses a parameter: take options and time-outs out of the URL',
  '28P01': 'the password is wrong or missing: copy the URL again from your provider',
  '28000': 'the login is refused: check the user, and whether sslmode=require is missing',
  '42501': 'the login may not connect to this database: grant it CONNECT, or use another',
  '3D000': 'the database does not exist: create it, or correct the name',
  '53300': 'it has no connection left: close some, or use the pooled URL',
  '57P03': 'it is starting up: try again in a moment',
}

const ofNeon: Readonly<Record<NonNullable<ReturnType<typeof saidByNeon>>, string>> = {
  asleep: 'Neon could not wake it: try again in a moment, and look at the status of Neon',
  spent: "the quota of its Neon project is used up: raise the plan's limits, or wait for the next month",
}

/** The one sentence for a database that could not be connected to. Neither the URL nor the password is in it. */
export function unreachable(error: unknown, variable: string): StartError {
  const code = codeOf(error)
  const message = messagesOf(error)
  const neon = saidByNeon(error)
  const why =
    (neon && ofNeon[neon]) ??
    sentences[code] ??
    byMessage(message) ??
    `the connection failed (${code || 'no code'}): check the host, the port, the user and the parameters of the URL`
  return new StartError(`${variable} cannot be used: ${why}.`, 69, error)
}

/** Its own code, or that of what it was caused by: over HTTP the network's is a few errors down. */
function codeOf(error: unknown, depth = 0): string {
  if (!(error instanceof Error) || depth > 4) return ''
  if ('code' in error && typeof error.code === 'string') return error.code
  return codeOf(error.cause ?? ('sourceError' in error ? error.sourceError : undefined), depth + 1)
}

/** What it says, and what the one behind it says, which over HTTP is all that Neon told. */
function messagesOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  return error.cause instanceof Error ? `${error.message} ${error.cause.message}` : error.message
}

function byMessage(message: string): string | undefined {
  if (/does not support SSL/.test(message))
    return 'the server speaks no TLS: where the network is your own, say sslmode=disable in the URL'
  if (/self.signed|certificate|altnames/i.test(message))
    return 'its TLS certificate is not trusted: use the host name the certificate is for, or set NODE_EXTRA_CA_CERTS'
  if (/requested endpoint could not be found|endpoint has been disabled/i.test(message))
    return 'Neon knows no such endpoint, or it is disabled: copy the URL again from the Neon console'
  if (/password authentication failed/.test(message)) return sentences['28P01']
  if (/WebSocket|over HTTP/.test(message))
    return "nothing there answers as Neon's proxy does: check the host, or choose DATABASE_DRIVER=postgres"
  if (/timeout/.test(message)) return sentences.ETIMEDOUT
  if (/password must be a string|SASL/.test(message)) return 'the password is missing: put it into the URL'
  if (/terminated unexpectedly/.test(message)) return sentences.ECONNRESET
  return undefined
}
