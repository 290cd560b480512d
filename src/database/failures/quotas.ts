import { AppError } from '../../errors.ts'

/** The most that one owner may store. The triggers of the tables refuse more, by an SQLSTATE of our own each. */
export type Quotas = { readonly taskQuota: number; readonly storageQuotaBytes: number }

export const quotas: Quotas = { taskQuota: 10_000, storageQuotaBytes: 20_000_000 }

const count = new Intl.NumberFormat('en')
const megabytes = new Intl.NumberFormat('en', { maximumFractionDigits: 2 })
const inMegabytes = (bytes: number) => `${megabytes.format(bytes / 1_000_000)} MB`

/** `quota_exceeded` for a caller: which limit applies, and what to do. The log gets the limit as `reason`. */
export function quotaExceeded(
  state: string,
  { taskQuota, storageQuotaBytes }: Quotas,
  cause: unknown,
): AppError {
  const [reason, detail] =
    state === 'DQ002'
      ? [
          'storage_quota',
          `Storage limit reached (${inMegabytes(storageQuotaBytes)}). Delete or shorten tasks first.`,
        ]
      : ['task_quota', `Task limit reached (${count.format(taskQuota)}). Delete tasks first.`]
  return new AppError('quota_exceeded', detail, { cause, reason })
}
