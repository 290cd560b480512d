import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { record } from '../events.ts'
import { banner } from './banner.ts'

/** Announces in the log that everything is up. Outside production, also to the person at the terminal. */
export function announce(log: Logger, origin: string, config: Config): void {
  record(log, 'info', 'start', { origin, environment: config.environment })
  for (const { name, meant } of config.misspelt)
    record(log, 'warn', 'setting_misspelt', { given: name, meant })
  if (!config.production) process.stderr.write(banner(origin, config))
}
