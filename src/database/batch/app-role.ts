/** The role every statement runs as: it owns nothing, can log in nowhere, and cannot bypass row-level security. */
export const appRole = 'docket_app'
