import { distance } from 'fastest-levenshtein'
import type { Environment } from './environment.ts'
import { type Variable, variables } from './variables.ts'

/** A name that is set and is no setting, and the setting, unset, that it looks like. */
export type Misspelt = { readonly name: string; readonly meant: string }

/** A word of four letters is near to too many others: `HOST` to `POST`. */
const shortest = 6
const lettersApart = 2

/** Names that were likely meant for a setting: `CORS_ORIGIN` sets nothing, and nobody would notice. */
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
