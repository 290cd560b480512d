/** Everything that the tests of the package install from the registry, at exact versions. To update: change it here. */
export const runtimes = { node: '22.23.3', bun: '1.4.5', deno: '2.9.6' }

/** An app with Next.js and Better Auth, as it is before Docket comes to it. */
export const nextApp = {
  '@types/node': '24.19.2',
  '@types/pg': '8.23.1',
  '@types/react': '19.3.3',
  'better-auth': '1.7.25',
  next: '16.4.6',
  pg: '8.23.1',
  react: '19.3.1',
  'react-dom': '19.3.1',
  typescript: '5.9.3',
}
