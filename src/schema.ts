/** Docket's tables for Drizzle, for joins in an app's own queries. Docket's migrations make and change them. */
export { docketSchema, tasks } from './tasks/table.ts'
