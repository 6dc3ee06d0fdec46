// The manifests for Kubernetes and the unit of systemd: valid by their schemas, and in agreement with what a node does.

import { execFile } from 'node:child_process'
import { access, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { Deployment } from 'kubernetes-models/apps/v1/Deployment'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget'
import { Service } from 'kubernetes-models/v1/Service'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { variableNames } from '../../src/config/variables.ts'
import { openNode } from '../support/node.ts'

/** How long a node may take to close after draining, in seconds (main.ts). */
const closingS = 15
const read = (file: string) => readFile(new URL(`../../deploy/${file}`, import.meta.url), 'utf8')
const models = { Deployment, PodDisruptionBudget, Service }

async function manifests() {
  const documents = parseAllDocuments(await read('kubernetes/parley.yaml'))
  expect(documents.flatMap(({ errors }) => errors)).toEqual([])
  return documents.map((document) => document.toJS() as { kind: keyof typeof models; spec: never })
}

test('each manifest is valid by its schema, and nonsense would not be', async () => {
  const found = await manifests()
  expect(found.map(({ kind }) => kind)).toEqual(['Deployment', 'Service', 'PodDisruptionBudget'])
  for (const manifest of found) {
    const Model = models[manifest.kind]
    expect(() => new Model(manifest as never).validate(), manifest.kind).not.toThrow()
    expect(() => new Model({ ...manifest, spec: 'nothing' } as never).validate()).toThrow()
  }
})

test('the deployment sets variables that exist, probes what a node answers, and leaves it time to close', async () => {
  const [deployment] = await manifests()
  const { spec } = new Deployment(deployment as never)
  const pod = spec?.template.spec
  const [container] = pod?.containers ?? []
  const settings = new Map((container?.env ?? []).map(({ name, value }) => [name, value ?? '']))
  expect([...settings.keys()].filter((name) => !variableNames.includes(name))).toEqual([])
  expect(Number(pod?.terminationGracePeriodSeconds)).toBeGreaterThan(Number(settings.get('PARLEY_DRAIN_MS')) / 1_000 + closingS)
  expect(container?.ports?.map(({ containerPort }) => containerPort)).toEqual([4000, Number(settings.get('PARLEY_METRICS_PORT'))])

  const node = await openNode()
  for (const probe of [container?.startupProbe, container?.livenessProbe, container?.readinessProbe]) {
    const { status } = await fetch(node.url.replace('/graphql', String(probe?.httpGet?.path)))
    expect(status).toBe(200)
  }
})

test('the unit of systemd leaves a node time to close; systemd accepts it, where there is one', async () => {
  const unit = await read('systemd/parley.service')
  const named = [...unit.matchAll(/^Environment=(\w+)=/gm)].map(([, name = '']) => name)
  expect(named.filter((name) => !variableNames.includes(name))).toEqual([])
  expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1])).toBeGreaterThan(20 + closingS)
  const analyze = '/usr/bin/systemd-analyze'
  const isThere = await access(analyze).then(
    () => true,
    () => false,
  )
  if (!isThere) return
  const file = new URL('../../deploy/systemd/parley.service', import.meta.url).pathname
  const { stderr } = await promisify(execFile)(analyze, ['verify', file], { timeout: 20_000 }).catch(
    (error: { stderr: string }) => error,
  )
  // It looks for the documentation where the unit says that Parley is installed.
  const complaints = stderr.split('\n').filter((line) => line.includes('parley.service') && !line.includes('man '))
  expect(complaints).toEqual([])
})
