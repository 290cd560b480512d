import type { NextConfig } from 'next'

const config: NextConfig = { output: 'standalone', serverExternalPackages: ['docket'] }
export default config
