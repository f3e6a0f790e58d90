// A whole Bluesky of one's own on loopback: PLC directory, account server (PDS) and AppView, until stdin is closed.
import net from 'node:net'

const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (where, ...rest) {
  const port = typeof where === 'object' && where !== null ? where.port : where
  const ready = rest.find((one) => typeof one === 'function')
  return listen.call(this, { port, host: '127.0.0.1' }, ready)
}

const { TestNetwork } = await import('@atproto/dev-env')
const [pds, bsky, plc] = process.argv.slice(2).map(Number)
const network = await TestNetwork.create({
  plc: { port: plc },
  pds: { port: pds, hostname: 'localhost' },
  bsky: { port: bsky, publicUrl: `http://localhost:${bsky}` },
  dbPostgresSchema: 'network',
})
console.log('the network stands')

process.stdin.on('end', async () => {
  await network.close().catch(() => undefined)
  process.exit(0)
})
process.stdin.resume()
