import type { Quota } from '../database/statements/quota.ts'

const count = new Intl.NumberFormat('en')
const megabytes = new Intl.NumberFormat('en', { maximumFractionDigits: 2 })

/** The limits on tasks of one owner: how many, and how many bytes they take in the database. */
export function taskQuotas(limits: { taskQuota: number; storageQuotaBytes: number }): readonly Quota[] {
  const { taskQuota, storageQuotaBytes } = limits
  return [
    {
      setting: 'app.task_quota',
      most: taskQuota,
      state: 'DQ001',
      reason: 'task_quota',
      sentence: `Task limit reached (${count.format(taskQuota)}). Delete tasks first.`,
    },
    {
      setting: 'app.storage_quota',
      most: storageQuotaBytes,
      state: 'DQ002',
      reason: 'storage_quota',
      sentence: `Storage limit reached (${megabytes.format(storageQuotaBytes / 1e6)} MB). Delete or shorten tasks first.`,
    },
  ]
}
