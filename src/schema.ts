/** The tables of Docket for Drizzle, to join in an app's own queries. Docket's migrations make and change them. */
export { docketSchema, tasks } from './tasks/table.ts'
