import { StartError } from '../errors.ts'

/** Packages that only development needs, at the versions that the tests run. The app installs them itself. */
export const optionalPackages = {
  embedded: { packages: ['@electric-sql/pglite@0.5'], otherwise: 'DATABASE_URL' },
  builtInIssuer: { packages: ['better-auth@1.7', 'kysely@0.28'], otherwise: 'BETTER_AUTH_URL' },
} as const

type Part = keyof typeof optionalPackages

/** The embedded Postgres. @throws StartError 78 when it is not installed. */
export async function loadPglite(): Promise<typeof import('@electric-sql/pglite')> {
  try {
    // The comments keep a bundler from failing when the package is not installed.
    return await import(/* webpackIgnore: true */ /* turbopackIgnore: true */ '@electric-sql/pglite')
  } catch (error) {
    throw explained(error, 'embedded')
  }
}

/** Better Auth with the parts that the built-in issuer uses. @throws StartError 78 when it is not installed. */
export async function loadBetterAuth() {
  try {
    const [{ betterAuth }, { bearer }, { jwt }, { getMigrations }, kysely] = await Promise.all([
      import(/* webpackIgnore: true */ /* turbopackIgnore: true */ 'better-auth'),
      import(/* webpackIgnore: true */ /* turbopackIgnore: true */ 'better-auth/plugins/bearer'),
      import(/* webpackIgnore: true */ /* turbopackIgnore: true */ 'better-auth/plugins/jwt'),
      import(/* webpackIgnore: true */ /* turbopackIgnore: true */ 'better-auth/db/migration'),
      import(/* webpackIgnore: true */ /* turbopackIgnore: true */ 'kysely'),
    ])
    return { betterAuth, bearer, jwt, getMigrations, kysely }
  } catch (error) {
    throw explained(error, 'builtInIssuer')
  }
}

/**
 * Loads the packages that a configuration needs. One error names all missing packages.
 * @throws StartError 78 when a package is not installed.
 */
export async function requireOptionalPackages(needed: {
  embedded: boolean
  builtInIssuer: boolean
}): Promise<void> {
  const attempts = await Promise.allSettled([
    needed.embedded && loadPglite(),
    needed.builtInIssuer && loadBetterAuth(),
  ])
  const failures = attempts.flatMap((attempt) => (attempt.status === 'rejected' ? [attempt.reason] : []))
  const missing = failures.flatMap((failure) => (failure instanceof MissingPackages ? failure.parts : []))
  if (missing.length > 0) throw new MissingPackages(missing, failures[0])
  if (failures.length > 0) throw failures[0]
}

class MissingPackages extends StartError {
  readonly parts: readonly Part[]

  constructor(parts: readonly Part[], cause: unknown) {
    const packages = parts.flatMap((part) => optionalPackages[part].packages).join(' ')
    const variables = parts.map((part) => optionalPackages[part].otherwise).join(' and ')
    super(
      `Docket lacks packages that only development needs: npm install --save-dev ${packages}, or set ${variables}.`,
      78,
      cause,
    )
    this.parts = parts
  }
}

function explained(error: unknown, part: Part): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'ERR_MODULE_NOT_FOUND' ? new MissingPackages([part], error) : error
}
