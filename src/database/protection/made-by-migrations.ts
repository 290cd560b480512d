// biome-ignore-all format: npm run generate writes this file, from the files in migrations.
import type { Protection } from './facts.ts'

/** The rights and policies that the migrations make. What a database has is compared with this. */
export const madeByMigrations: Protection = {
  "migration": 5,
  "rights": {
    "docket_app": [
      "DELETE on docket.tasks",
      "INSERT on docket.owners",
      "INSERT on docket.tasks",
      "SELECT on docket.owners",
      "SELECT on docket.tasks",
      "UPDATE (byte_count) on docket.owners",
      "UPDATE (description) on docket.tasks",
      "UPDATE (status) on docket.tasks",
      "UPDATE (task_count) on docket.owners",
      "UPDATE (title) on docket.tasks",
      "USAGE on schema docket"
    ],
    "PUBLIC": []
  },
  "memberships": [],
  "tables": {
    "docket.owners": {
      "row_security": "forced",
      "policies": {
        "owners_own": "as permissive for all to docket_app using ((owner_id = NULLIF(current_setting('app.user_id'::text, true), ''::text))) with check ((owner_id = NULLIF(current_setting('app.user_id'::text, true), ''::text)))"
      },
      "triggers": {}
    },
    "docket.tasks": {
      "row_security": "forced",
      "policies": {
        "tasks_own": "as permissive for all to docket_app using ((owner_id = NULLIF(current_setting('app.user_id'::text, true), ''::text))) with check ((owner_id = NULLIF(current_setting('app.user_id'::text, true), ''::text)))"
      },
      "triggers": {
        "tasks_counted": "enabled",
        "tasks_resized": "enabled",
        "tasks_touched": "enabled"
      }
    }
  }
}
