import { StartError } from '../errors.ts'
import type { Environment } from './environment.ts'
import { type Misspelt, misspelt, toldMisspelt } from './misspelt.ts'
import { type Variable, variables } from './variables.ts'

/** Settings under which Docket must not start. `message` lists every fault, one a line, and what looks misspelt; it holds no value. */
export class ConfigError extends StartError {
  constructor(faults: readonly string[], likely: readonly Misspelt[] = []) {
    const count = faults.length === 1 ? '1 setting is' : `${faults.length} settings are`
    const hints = likely.map((one) => `${toldMisspelt(one)}.`)
    super([`Docket cannot start: ${count} wrong or missing.`, ...faults, ...hints].join('\n  '), 78)
    this.name = 'ConfigError'
  }
}

/**
 * One environment being read. Faults are collected, not thrown: a faulty value counts as set but reads as its
 * default (or `undefined`), so that the checks behind it still run and everything is told at once.
 */
export class Settings {
  readonly #environment: Environment
  readonly #faults = new Map<Variable, string[]>()

  constructor(environment: Environment) {
    this.#environment = environment
  }

  /** Whether the variable is set, rightly or wrongly. An empty string is not. */
  has(variable: Variable): boolean {
    return Boolean(this.#environment[variable.name])
  }

  /** The value, read by another schema than the variable's where another setting asks for that. */
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

  /** `wrong` finishes the sentence that begins with the variable's name, without a full stop. */
  refuse(variable: Variable, wrong: string): void {
    this.#faults.set(variable, [...(this.#faults.get(variable) ?? []), wrong])
  }

  /** Refuses an unset variable, naming why it is needed; the first reason is enough. */
  require(variable: Variable, why: string): void {
    if (!this.has(variable) && !this.#faults.has(variable)) this.refuse(variable, `is missing: ${why}`)
  }

  /** Throws `ConfigError` with the faults of all variables, in the order of their declaration. */
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
