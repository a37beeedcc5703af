/** The slot of a key on a cluster: the CRC16 (XMODEM) of its hash tag, or of all of it, modulo 16 384. */

const slotCount = 16_384;
const polynomial = 0x1021;

export function slotOf(key: string): number {
  const [, tag = key] = /^[^{]*\{([^}]+)\}/.exec(key) ?? [];
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ polynomial;
    crc &= 0xffff;
  }
  return crc % slotCount;
}
