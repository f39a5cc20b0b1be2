// KafkaJS, told what to do line by line; clients/agent.py is the other end.

'use strict'

const fs = require('fs')
const readline = require('readline')
const {
  CompressionCodecs,
  CompressionTypes,
  ConfigResourceTypes,
  Kafka,
  Partitioners,
  logLevel,
} = require('kafkajs')
const snappy = require('kafkajs-snappy')
const lz4 = require('lz4-napi')
const { ZstdCodec } = require('zstd-codec')

const PATIENCE_MS = 30000
const HEARTBEAT_MS = 200
const SESSION_MS = 10000
// One send is one batch per partition, and a batch has to stay below a megabyte.
const SEND_RECORDS_MAX = 500

CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: (encoder) => lz4.compressFrame(encoder.buffer),
  decompress: (buffer) => lz4.decompressFrame(buffer),
})
const zstd = new Promise((resolve) => ZstdCodec.run((binding) => resolve(new binding.Streaming())))
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async (encoder) => Buffer.from((await zstd).compress(encoder.buffer)),
  decompress: async (buffer) => Buffer.from((await zstd).decompress(buffer)),
})

const TYPES = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

const brokers = process.argv[2].split(',')
// Its version of the request knows no default.
const replicationFactor = Math.min(3, brokers.length)
const kafka = new Kafka({
  brokers,
  clientId: 'conformance',
  logCreator: () => (entry) => process.stderr.write(`${JSON.stringify(entry)}\n`),
  logLevel: logLevel.WARN,
})
const admin = kafka.admin()
const members = new Map()
let groups = 0

async function produce(topic, codec, idempotent, path) {
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    idempotent: idempotent === 'true',
    maxInFlightRequests: 1,
  })
  await producer.connect()
  try {
    const records = readRecords(path)
    for (let at = 0; at < records.length; at += SEND_RECORDS_MAX) {
      const messages = records.slice(at, at + SEND_RECORDS_MAX)
      await producer.send({ topic, acks: -1, compression: TYPES[codec], messages })
    }
  } finally {
    await producer.disconnect()
  }
  return []
}

// KafkaJS reads in groups only.
async function consume(topic, count, path) {
  const member = new Member(`${topic}-reader-${groups++}`, topic)
  await member.start()
  try {
    writeRecords(await member.read(Number(count)), path)
  } finally {
    await member.leave()
  }
  return []
}

class Member {
  constructor(group, topic) {
    this.topic = topic
    this.partitions = []
    this.records = []
    this.arrived = () => {}
    this.consumer = kafka.consumer({
      groupId: group,
      heartbeatInterval: HEARTBEAT_MS,
      sessionTimeout: SESSION_MS,
      maxWaitTimeInMs: HEARTBEAT_MS,
    })
    this.consumer.on(this.consumer.events.GROUP_JOIN, ({ payload }) => {
      this.partitions = payload.memberAssignment[topic] || []
    })
  }

  async start() {
    await this.consumer.connect()
    await this.consumer.subscribe({ topics: [this.topic], fromBeginning: true })
    await this.consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: true,
      eachBatch: async ({ batch }) => {
        for (const message of batch.messages) this.records.push(received(batch, message))
        this.arrived()
      },
    })
  }

  async read(count) {
    while (this.records.length < count) {
      await new Promise((resolve, reject) => {
        const tooLate = () =>
          reject(new Error(`only ${this.records.length} of ${count} records came`))
        const timer = setTimeout(tooLate, PATIENCE_MS)
        this.arrived = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    return this.records.splice(0)
  }

  async commit(metadata, offsets) {
    const places = offsets.map((pair) => {
      const [partition, offset] = pair.split('=')
      return { topic: this.topic, partition: Number(partition), offset, metadata }
    })
    await this.consumer.commitOffsets(places)
  }

  leave() {
    return this.consumer.disconnect()
  }
}

const requests = {
  produce,
  consume,
  join: async (name, group, topic) => {
    const member = new Member(group, topic)
    await member.start()
    members.set(name, member)
    return []
  },
  assigned: async (name) => {
    await new Promise((resolve) => setTimeout(resolve, 50))
    return members.get(name).partitions
  },
  read: async (name, count, path) => {
    writeRecords(await members.get(name).read(Number(count)), path)
    return []
  },
  commit: async (name, metadata, ...offsets) => {
    await members.get(name).commit(metadata, offsets)
    return []
  },
  leave: async (name) => {
    await members.get(name).leave()
    members.delete(name)
    return []
  },
  'create-topic': async (topic, partitions, ...config) => {
    const configEntries = config.map((pair) => {
      const at = pair.indexOf('=')
      return { name: pair.slice(0, at), value: pair.slice(at + 1) }
    })
    const wanted = { topic, numPartitions: Number(partitions), replicationFactor, configEntries }
    await admin.createTopics({ topics: [wanted] })
    return []
  },
  'delete-topic': async (topic) => {
    await admin.deleteTopics({ topics: [topic] })
    return []
  },
  topics: () => admin.listTopics(),
  partitions: async (topic) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return topics[0].partitions.map((each) => each.partitionId)
  },
  config: async (topic, name) => {
    const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
    const { resources } = await admin.describeConfigs({ resources: [resource] })
    return [resources[0].configEntries.find((each) => each.configName === name).configValue]
  },
  'set-config': async (topic, name, value) => {
    const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
    resource.configEntries = [{ name, value }]
    await admin.alterConfigs({ resources: [resource] })
    return []
  },
  'offset-at': async (topic, partition, timestamp) => {
    const found = await (Number(timestamp) < 0
      ? admin.fetchTopicOffsets(topic)
      : admin.fetchTopicOffsetsByTimestamp(topic, Number(timestamp)))
    const place = found.find((each) => each.partition === Number(partition))
    return [timestamp === '-2' ? place.low : place.offset]
  },
  'delete-records': async (topic, partition, before) => {
    const partitions = [{ partition: Number(partition), offset: before }]
    // deleteTopicRecords finds the leaders only of topics that this admin client has met.
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions })
    return []
  },
  group: async (group) => {
    const { groups: found } = await admin.describeGroups([group])
    return [found[0].state, found[0].members.length]
  },
  committed: async (group, topic) => {
    const [found] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
    return found.partitions
      .filter((each) => each.offset !== '-1')
      .map((each) => `${each.partition}=${each.offset}=${each.metadata}`)
  },
}

function received(batch, message) {
  return {
    partition: batch.partition,
    offset: message.offset,
    timestamp: message.timestamp,
    key: message.key,
    value: message.value,
    headers: message.headers,
  }
}

// Records in files; record_file.py says how they stand there.
function readRecords(path) {
  const content = fs.readFileSync(path)
  const records = []
  let at = 0
  const int = () => content.readInt32BE((at += 4) - 4)
  const long = () => content.readBigInt64BE((at += 8) - 8)
  const sized = () => {
    const size = int()
    return size < 0 ? null : content.subarray(at, (at += size))
  }
  while (at < content.length) {
    const record = { partition: int(), offset: long(), timestamp: String(long()) }
    record.key = sized()
    record.value = sized()
    record.headers = {}
    for (let left = int(); left > 0; left--) {
      const name = sized().toString()
      const value = sized()
      const before = record.headers[name]
      record.headers[name] = before === undefined ? value : [].concat(before, value)
    }
    records.push(record)
  }
  return records
}

function writeRecords(records, path) {
  const parts = []
  const int = (number) => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(number)
    parts.push(bytes)
  }
  const long = (number) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64BE(BigInt(number))
    parts.push(bytes)
  }
  const sized = (bytes) => {
    int(bytes === null ? -1 : bytes.length)
    if (bytes !== null) parts.push(bytes)
  }
  for (const record of records) {
    int(record.partition)
    long(record.offset)
    long(record.timestamp)
    sized(record.key)
    sized(record.value)
    const pairs = Object.entries(record.headers).flatMap(([name, values]) =>
      [].concat(values).map((value) => [name, value]),
    )
    int(pairs.length)
    for (const [name, value] of pairs) {
      sized(Buffer.from(name))
      sized(value)
    }
  }
  fs.writeFileSync(path, Buffer.concat(parts))
}

async function main() {
  await admin.connect()
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [name, ...words] = line.split('\t')
    try {
      const answer = await requests[name](...words)
      process.stdout.write(`${['ok', ...answer].join('\t')}\n`)
    } catch (error) {
      process.stderr.write(`${error.stack}\n`)
      process.stdout.write(`error\t${String(error).replace(/\s+/g, ' ')}\n`)
    }
  }
  // Members of a failed test may still be running.
  process.exit(0)
}

main()
