import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { configurationFile, configurationPage } from '../scripts/docs.ts'

test('docs/configuration.md is current: npm run docs writes it', () => {
  expect(readFileSync(configurationFile, 'utf8')).toBe(configurationPage())
})
