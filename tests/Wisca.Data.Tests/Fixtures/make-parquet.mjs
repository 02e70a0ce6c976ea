// Writes Parquet as arrow-rs does: node make-parquet.mjs NODE_MODULES, with parquet-wasm and apache-arrow installed there.
import { readFileSync, writeFileSync } from 'fs';
import { createRequire } from 'module';

const require = createRequire(process.argv[2] + '/');
const arrow = require('apache-arrow');
const parquet = await import(process.argv[2] + '/parquet-wasm/esm/parquet_wasm.js');
await parquet.default({ module_or_path: readFileSync(process.argv[2] + '/parquet-wasm/esm/parquet_wasm_bg.wasm') });

const { Field, Struct, List, Utf8, Int64, Float64 } = arrow;
const text = name => new Field(name, new Utf8(), true);
const message = new Struct([text('role'), text('content'), new Field('weight', new Float64(), true)]);
const column = (type, values) => arrow.vectorFromArray(values, type);
const write = (name, columns, configure) => {
  const table = parquet.Table.fromIPCStream(arrow.tableToIPC(new arrow.Table(columns), 'stream'));
  writeFileSync(name, parquet.writeParquet(table, configure(new parquet.WriterPropertiesBuilder()).build()));
};

write('chat.parquet', {
  messages: column(new List(new Field('element', message, true)), [
    [
      { role: 'user', content: 'q0', weight: null }, { role: 'assistant', content: 'bad', weight: 0 },
      { role: 'user', content: 'again ü😀', weight: null }, { role: 'assistant', content: 'good', weight: 1 },
    ],
    [],
    null,
    [{ role: 'user', content: 'q1', weight: null }, { role: 'assistant', content: null, weight: null }],
  ]),
  source: column(new Utf8(), ['a', null, 'c', 'd']),
  images: column(new List(new Field('element', new Utf8(), true)), [['x.jpg'], [], null, ['y', null]]),
  n: column(new Int64(), [1n, null, 3n, 4n]),
}, builder => builder.setCompression(parquet.Compression.SNAPPY));

const texts = Array.from({ length: 40 }, (_, i) => i % 7 === 3 ? 'none' : `document ${i} ` + 'x'.repeat(i % 200) + ` end ${i}`);
write('pages-v2.parquet', { text: column(new Utf8(), texts) }, builder => builder
  .setCompression(parquet.Compression.SNAPPY).setWriterVersion(parquet.WriterVersion.V2)
  .setDataPageSizeLimit(200).setWriteBatchSize(5).setMaxRowGroupSize(17));
write('pages.parquet', { text: column(new Utf8(), texts) }, builder => builder
  .setCompression(parquet.Compression.UNCOMPRESSED).setDictionaryEnabled(false).setDataPageSizeLimit(300).setWriteBatchSize(5));
