import { distance } from 'fastest-levenshtein'
import type { Environment } from './environment.ts'
import { type Variable, variables } from './variables.ts'

/** A variable that is set but is no setting, and the unset setting that its name resembles. */
export type Misspelt = { readonly name: string; readonly meant: string }

/** Shorter names resemble too many others: `HOST` and `POST`. */
const shortest = 6
const lettersApart = 2

/** Finds likely misspellings. `CORS_ORIGIN`, for example, sets nothing and would go unnoticed. */
export function misspelt(environment: Environment): readonly Misspelt[] {
  const settings = Object.values<Variable>(variables).map(({ name }) => name)
  const unset = settings.filter((name) => name.length >= shortest && !environment[name])
  return Object.keys(environment)
    .filter((name) => !settings.includes(name) && environment[name])
    .flatMap((name) => {
      const meant = unset.find((setting) => distance(name.toUpperCase(), setting) <= lettersApart)
      return meant === undefined ? [] : [{ name, meant }]
    })
}

export const toldMisspelt = ({ name, meant }: Misspelt) => `${name} is no setting: ${meant} is`
