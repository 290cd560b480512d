import type { Protection } from './facts.ts'
import { madeByMigrations } from './made-by-migrations.ts'

/** One deviation from the state that the migrations made. */
export type Difference = {
  /** Names the difference and the remedy. */
  readonly sentence: string
  /** True when it opens rows to other owners, or may. No process starts with such a difference. */
  readonly opens: boolean
  /** The repair that `npx docket migrate` makes. It takes nothing away that somebody may have added on purpose. */
  readonly repair?: { readonly sql: string; readonly done: string }
}

type Table = Protection['tables'][string]

const migrate = 'run npx docket migrate'

/**
 * Lists how a database differs from the state that the migrations made, most dangerous first.
 * The list is empty when a newer program migrated the database, because this one does not know those migrations.
 */
export function differencesOf(found: Protection, made: Protection = madeByMigrations): Difference[] {
  if (found.migration > made.migration) return []
  const gone = Object.keys(made.tables).filter((name) => found.tables[name] === undefined)
  // The table took its rights and policies with it.
  if (gone.length > 0)
    return gone.map((name) => ({ sentence: `${name} is not there: restore a backup.`, opens: false }))
  const ofTables = Object.entries(made.tables).flatMap(([name, table]) =>
    ofTable(name, found.tables[name] ?? table, table),
  )
  const memberships = found.memberships.filter((role) => !made.memberships.includes(role))
  return [
    ...ofTables.filter(({ opens }) => opens),
    ...memberships.map((role) => ({
      sentence: `docket_app is a member of ${role}, which the migrations did not make: run REVOKE ${role} FROM docket_app.`,
      opens: false,
    })),
    ...ofRights('docket_app', found, made),
    ...ofRights('PUBLIC', found, made),
    ...ofTables.filter(({ opens }) => !opens),
  ]
}

function ofTable(name: string, found: Table, made: Table): Difference[] {
  return [
    ...ofRowSecurity(name, found, made),
    ...ofPolicies(name, found, made),
    ...ofTriggers(name, found, made),
  ]
}

function ofRowSecurity(name: string, found: Table, made: Table): Difference[] {
  if (found.row_security === made.row_security) return []
  return [
    {
      sentence: `Row-level security is not in force on ${name}: ${migrate}.`,
      opens: true,
      repair: {
        sql: `alter table ${name} enable row level security, force row level security`,
        done: `put row-level security in force on ${name}`,
      },
    },
  ]
}

function ofPolicies(name: string, found: Table, made: Table): Difference[] {
  const known = Object.entries(made.policies).flatMap(([policy, text]): Difference[] => {
    const present = found.policies[policy]
    if (present === text) return []
    if (present !== undefined)
      return [
        {
          sentence: `The policy ${policy} of ${name} is not the one that the migrations made: drop it, then ${migrate}.`,
          opens: true,
        },
      ]
    return [
      {
        sentence: `${name} lacks the policy ${policy}: ${migrate}.`,
        opens: true,
        repair: {
          sql: `create policy ${policy} on ${name} ${text}`,
          done: `made the policy ${policy} of ${name}`,
        },
      },
    ]
  })
  const others = Object.keys(found.policies).filter((policy) => made.policies[policy] === undefined)
  return [
    ...others.map((policy) => ({
      sentence: `${name} has the policy ${policy}, which the migrations did not make: drop it.`,
      opens: true,
    })),
    ...known,
  ]
}

function ofTriggers(name: string, found: Table, made: Table): Difference[] {
  return Object.keys(made.triggers).flatMap((trigger) => {
    const state = found.triggers[trigger]
    if (state === 'enabled') return []
    const sentence =
      state === undefined
        ? `${name} lacks the trigger ${trigger}: make it as the files in migrations do.`
        : `The trigger ${trigger} of ${name} is disabled: run ALTER TABLE ${name} ENABLE TRIGGER ${trigger}.`
    return [{ sentence, opens: false }]
  })
}

function ofRights(role: keyof Protection['rights'], found: Protection, made: Protection): Difference[] {
  const lacking = made.rights[role].filter((right) => !found.rights[role].includes(right))
  const others = found.rights[role].filter((right) => !made.rights[role].includes(right))
  return [
    ...lacking.map((right) => ({
      sentence: `${role} lacks ${right}: ${migrate}.`,
      opens: false,
      repair: { sql: `grant ${right} to ${role}`, done: `granted ${right} to ${role}` },
    })),
    ...others.map((right): Difference => {
      // Postgres grants this with every new function. A restore without rights does so too.
      if (role === 'PUBLIC' && right.startsWith('EXECUTE '))
        return {
          sentence: `PUBLIC has ${right}, which the migrations took away: ${migrate}.`,
          opens: false,
          repair: { sql: `revoke ${right} from PUBLIC`, done: `revoked ${right} from PUBLIC` },
        }
      return {
        sentence: `${role} has ${right}, which the migrations did not grant: run REVOKE ${right} FROM ${role}.`,
        opens: false,
      }
    }),
  ]
}
