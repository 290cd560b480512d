import type { Environment } from '../../src/config/environment.ts'
import { ConfigError, loadConfig } from '../../src/config.ts'

/** The refusal of settings that must be refused. */
export function refusal(environment: Environment): ConfigError {
  try {
    loadConfig(environment)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('the settings were accepted')
}

/** The lines of the refusal without its headline: one per faulty variable. */
export const faults = (environment: Environment) => refusal(environment).message.split('\n  ').slice(1)

export const faultyVariables = (environment: Environment) =>
  faults(environment).map((line) => line.split(' ')[0])
