import type { ClientBase, Pool } from 'pg';

/** Takes the value of one column from a row that is to be sent. An instant is a `Date`; JSON is text. */
export type Column<Row> = (row: Row) => string | number | boolean | Date | Uint8Array | null | undefined;

/** One column of a composite type, as the database has it. */
interface Attribute {
  readonly name: string;
  readonly type: number;
}

interface LoadedType<Row> {
  readonly oid: number;
  readonly columns: readonly { readonly type: number; readonly value: Column<Row> }[];
}

/**
 * Encodes rows as one parameter: an array of a composite type of the database, in the binary format of the protocol
 * (PostgreSQL, src/backend/utils/adt/arrayfuncs.c `array_recv`, rowtypes.c `record_recv`). One binary parameter takes
 * the place of one text array for each column, whose elements the client would escape and the server would parse.
 *
 * The columns are matched by name with those of the database, so that a column cannot get the value of another one.
 */
export class RecordType<Row> {
  /** the type as each connection or pool has it: the number of a type differs between databases */
  private readonly loaded = new WeakMap<ClientBase | Pool, LoadedType<Row>>();

  constructor(
    private readonly name: string,
    private readonly columns: Readonly<Record<string, Column<Row>>>,
  ) {}

  /** Encodes rows for the database of `client`. Throws an `Error` when the type has other columns there. */
  async encode(client: ClientBase | Pool, rows: readonly Row[]): Promise<Buffer> {
    let type = this.loaded.get(client);
    if (type === undefined) {
      type = await this.load(client);
      this.loaded.set(client, type);
    }
    return encodeArray(type, rows);
  }

  private async load(client: ClientBase | Pool): Promise<LoadedType<Row>> {
    const { rows } = await client.query<Attribute & { readonly oid: number }>({
      name: 'record-type',
      text: `SELECT t.oid::int, a.attname AS name, a.atttypid::int AS type FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid
             WHERE t.oid = $1::text::regtype AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
      values: [`public.${this.name}`],
    });
    const unknown = new Set(Object.keys(this.columns));
    const columns = rows.map(({ name, type }) => {
      const value = this.columns[name];
      if (value === undefined) throw new Error(`type \`${this.name}\` of the database has column \`${name}\``);
      unknown.delete(name);
      return { type, value };
    });
    if (unknown.size > 0)
      throw new Error(`type \`${this.name}\` of the database lacks column \`${[...unknown].join()}\``);
    return { oid: rows[0]?.oid ?? 0, columns };
  }
}

function encodeArray<Row>({ oid, columns }: LoadedType<Row>, rows: readonly Row[]): Buffer {
  const out = new ByteWriter();
  out.int32(rows.length === 0 ? 0 : 1); // dimensions
  out.int32(0); // no element is NULL
  out.int32(oid);
  if (rows.length > 0) {
    out.int32(rows.length);
    out.int32(1); // the lower bound
  }
  for (const row of rows) {
    const element = out.begin();
    out.int32(columns.length);
    for (const { type, value } of columns) {
      out.int32(type);
      encodeValue(out, type, value(row));
    }
    out.end(element);
  }
  return out.bytes();
}

/** The instants of PostgreSQL are microseconds since 2000. This is that instant in milliseconds since 1970. */
const EPOCH_OF_POSTGRES = 946_684_800_000;

/** The encoders by the number of the built-in type (PostgreSQL, src/include/catalog/pg_type.dat). */
const ENCODERS: Readonly<Record<number, (out: ByteWriter, value: never) => void>> = {
  /* bool */ 16: (out, value: boolean) => {
    out.byte(value ? 1 : 0);
  },
  /* bytea */ 17: (out, value: Uint8Array) => {
    out.raw(value);
  },
  /* int8 */ 20: (out, value: number) => {
    out.int64(value);
  },
  /* int4 */ 23: (out, value: number) => {
    out.int32(value);
  },
  /* text */ 25: (out, value: string) => {
    out.text(value);
  },
  /* timestamptz */ 1184: (out, value: Date) => {
    out.int64((value.getTime() - EPOCH_OF_POSTGRES) * 1000);
  },
  /* jsonb: the version of the format, then text */ 3802: (out, value: string) => {
    out.byte(1);
    out.text(value);
  },
};

function encodeValue(out: ByteWriter, type: number, value: ReturnType<Column<never>>): void {
  if (value === null || value === undefined) {
    out.int32(-1);
    return;
  }
  const encode = ENCODERS[type];
  if (encode === undefined) throw new Error(`a column of type ${String(type)} cannot be encoded`);
  const field = out.begin();
  encode(out, value as never);
  out.end(field);
}

/** Writes big-endian values into a buffer that grows. */
class ByteWriter {
  private buffer = Buffer.allocUnsafe(8_192);
  private at = 0;

  byte(value: number): void {
    this.ensure(1);
    this.buffer[this.at] = value;
    this.at += 1;
  }

  int32(value: number): void {
    this.ensure(4);
    this.at = this.buffer.writeInt32BE(value, this.at);
  }

  int64(value: number): void {
    const high = Math.floor(value / 0x1_0000_0000);
    this.int32(high);
    this.int32((value - high * 0x1_0000_0000) | 0);
  }

  text(value: string): void {
    this.ensure(value.length * 3);
    this.at += this.buffer.write(value, this.at, 'utf8');
  }

  raw(value: Uint8Array): void {
    this.ensure(value.length);
    this.buffer.set(value, this.at);
    this.at += value.length;
  }

  /** Leaves room for a length, and returns the place of it for `end`. */
  begin(): number {
    this.int32(0);
    return this.at;
  }

  end(begin: number): void {
    this.buffer.writeInt32BE(this.at - begin, begin - 4);
  }

  bytes(): Buffer {
    return this.buffer.subarray(0, this.at);
  }

  private ensure(length: number): void {
    if (this.at + length <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.at + length));
    this.buffer.copy(larger, 0, 0, this.at);
    this.buffer = larger;
  }
}
