/** Every statement runs as this role. It owns nothing, cannot log in, and cannot bypass row-level security. */
export const appRole = 'docket_app'
