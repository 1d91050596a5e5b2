/** The rules of actions beside OpenStack's table: the states from which each may begin, and whether a lock keeps it off. */
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  type ActionRule,
  abortRule,
  attachInterfaceRule,
  changePasswordRule,
  confirmResizeRule,
  crashDumpRule,
  createBackupRule,
  createImageRule,
  detachInterfaceRule,
  forceCompleteRule,
  liveMigrateRule,
  offloadRule,
  rebuildRule,
  rescueRule,
  resizeRule,
  restoreRule,
  revertResizeRule,
  shelveRule,
  unrescueRule,
  unshelveRule,
} from '../../src/nova/conductor/index.ts'

const facts = new URL('../../../shared/openstack-api/compute-actions.tsv', import.meta.url)
const rows = existsSync(facts)
  ? readFileSync(facts, 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split('\t'))
  : []

const rules: Record<string, ActionRule> = {
  restore: restoreRule,
  rescue: rescueRule,
  unrescue: unrescueRule,
  resize: resizeRule,
  confirmResize: confirmResizeRule,
  revertResize: revertResizeRule,
  rebuild: rebuildRule,
  shelve: shelveRule,
  shelveOffload: offloadRule,
  unshelve: unshelveRule,
  createImage: createImageRule,
  createBackup: createBackupRule,
  changePassword: changePasswordRule,
  trigger_crash_dump: crashDumpRule,
  'os-migrateLive': liveMigrateRule,
  force_complete: forceCompleteRule,
  'abort live migration': abortRule,
  'attach interface': attachInterfaceRule,
  'detach interface': detachInterfaceRule,
}

describe.skipIf(rows.length === 0)('the rule of', () => {
  it.each(Object.entries(rules))('%s', (name, rule) => {
    const [, , vmStates = '', tasks = '', launched = '', locked = '', passed = ''] = rows.find(([action]) => action === name) ?? []
    expect(rule.vmStates?.toSorted() ?? ['any']).toEqual(vmStates.split(',').sort())
    expect(rule.tasks?.map((task) => task ?? 'none')).toEqual(tasks.split(','))
    expect([rule.mustHaveLaunched !== false, rule.checksLock !== false]).toEqual([launched === 'yes', locked === 'yes'])
    expect(passed.split(',')).toContain(rule.task ?? '-')
  })
})
