import { expect, it } from 'vitest'
import { pairs, table } from './table.ts'

it('centres as PrettyTable does, odd and even', () => {
  expect(table(['Name', 'Disabled'], [['cell0', 'False']])).toBe(
    ['+-------+----------+', '|  Name | Disabled |', '+-------+----------+', '| cell0 |  False   |', '+-------+----------+'].join('\n'),
  )
})

it('without rows is its heading', () => {
  expect(table(['A'], [])).toBe('+---+\n| A |\n+---+')
})

it('takes cells of several lines, and draws a line under each row where asked', () => {
  expect(table(['Results'], [['Check: a\nResult: b'], ['c']], { align: 'left', ruled: true })).toBe(
    [
      '+-----------+',
      '| Results   |',
      '+-----------+',
      '| Check: a  |',
      '| Result: b |',
      '+-----------+',
      '| c         |',
      '+-----------+',
    ].join('\n'),
  )
})

it('shows pairs', () => {
  expect(pairs('Table', 'Rows', [['instances', 5]])).toContain('| instances | 5    |')
})
