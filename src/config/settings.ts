import { StartError } from '../errors.ts'
import type { Environment } from './environment.ts'
import { type Misspelt, misspelt, toldMisspelt } from './misspelt.ts'
import { type Variable, variables } from './variables.ts'

/**
 * Docket must not start with these settings. `message` lists every fault, one per line, and likely misspellings.
 * It contains no value of a setting.
 */
export class ConfigError extends StartError {
  constructor(faults: readonly string[], likely: readonly Misspelt[] = []) {
    const count = faults.length === 1 ? '1 setting is' : `${faults.length} settings are`
    const hints = likely.map((one) => `${toldMisspelt(one)}.`)
    super([`Docket cannot start: ${count} wrong or missing.`, ...faults, ...hints].join('\n  '), 78)
    this.name = 'ConfigError'
  }
}

/**
 * Reads one environment and collects faults instead of throwing.
 * A faulty value counts as set but reads as its default (or `undefined`). Later checks still run, and one error
 * reports all faults.
 */
export class Settings {
  readonly #environment: Environment
  readonly #faults = new Map<Variable, string[]>()

  constructor(environment: Environment) {
    this.#environment = environment
  }

  /** True when the variable is set, valid or not. An empty string counts as unset. */
  has(variable: Variable): boolean {
    return Boolean(this.#environment[variable.name])
  }

  /** Reads the value. `schema` replaces the variable's own schema where another setting requires that. */
  read<T>(variable: Variable<T> & { readonly default: string }, schema?: Variable<T>['schema']): T
  read<T>(variable: Variable<T>, schema?: Variable<T>['schema']): T | undefined
  read<T>(variable: Variable<T>, schema = variable.schema): T | undefined {
    const text = this.#environment[variable.name]
    if (text) {
      const result = schema.safeParse(text)
      if (result.success) return result.data
      for (const { path, message } of result.error.issues) {
        const [index] = path
        this.refuse(variable, typeof index === 'number' ? `entry ${index + 1} ${message}` : message)
      }
    }
    return variable.default === undefined ? undefined : variable.schema.parse(variable.default)
  }

  /** Records a fault. `wrong` completes the sentence that starts with the variable's name, without a full stop. */
  refuse(variable: Variable, wrong: string): void {
    this.#faults.set(variable, [...(this.#faults.get(variable) ?? []), wrong])
  }

  /** Refuses an unset variable and says why it is needed. Only the first reason is kept. */
  require(variable: Variable, why: string): void {
    if (!this.has(variable) && !this.#faults.has(variable)) this.refuse(variable, `is missing: ${why}`)
  }

  /** @throws ConfigError with the faults of all variables, in the order of their declaration. */
  throwIfFaulty(): void {
    const lines = Object.values<Variable>(variables).flatMap((variable) => {
      const faults = this.#faults.get(variable)
      return faults === undefined ? [] : [faultLine(variable, faults)]
    })
    if (lines.length > 0) throw new ConfigError(lines, misspelt(this.#environment))
  }
}

const faultLine = ({ name, meaning, example }: Variable, faults: readonly string[]) =>
  `${name} ${faults.join('; ')}. Meaning: ${meaning}. Example: ${name}=${example}`.replaceAll('`', '')
