/** Where a shell gets a token of the demo user, under a name of this machine and outside production only. */
export const demoTokenPath = '/docs/token'
