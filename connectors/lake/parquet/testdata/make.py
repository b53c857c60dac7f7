"""Writes the Parquet files of this folder and what is in them.

    pip install pyarrow duckdb && python make.py

NAME.parquet is written by PyArrow or DuckDB; NAME.json has its columns' SQL
types and its rows as PyArrow reads them, in the form of the test's canon
function: integers for everything that is one, {"x": hex} for strings and bytes,
{"f": repr} for floating-point numbers. An entry {"error": text} instead says how
opening must fail, {"same": name} that the rows are those of another file. The files are small on purpose and made from a fixed seed.
"""
import base64, datetime, decimal, json, os, random, uuid
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

HERE = os.path.dirname(os.path.abspath(__file__))
D = decimal.Decimal
decimal.getcontext().prec = 60


def sqltype(t):
    if isinstance(t, pa.BaseExtensionType):
        return {"arrow.uuid": "uuid", "arrow.json": "json"}[t.extension_name]
    if pa.types.is_dictionary(t):
        return sqltype(t.value_type)
    if pa.types.is_decimal(t):
        return f"decimal({t.precision},{t.scale})"
    if pa.types.is_timestamp(t):
        digits = {"s": 3, "ms": 3, "us": 6, "ns": 9}[t.unit]
        return f"timestamp({digits})" + (" with time zone" if t.tz else "")
    if pa.types.is_time(t):
        return f"time({ {'ms': 3, 'us': 6, 'ns': 9}[t.unit]})"
    if pa.types.is_map(t):
        return f"map({sqltype(t.key_type)}, {sqltype(t.item_type)})"
    if pa.types.is_list(t) or pa.types.is_large_list(t) or pa.types.is_fixed_size_list(t):
        return f"array({sqltype(t.value_type)})"
    if pa.types.is_struct(t):
        return "row(" + ", ".join(f"{f.name} {sqltype(f.type)}" for f in t) + ")"
    if pa.types.is_fixed_size_binary(t):
        return "varbinary"
    return {
        "bool": "boolean", "int8": "tinyint", "int16": "smallint", "int32": "integer", "int64": "bigint",
        "uint8": "smallint", "uint16": "integer", "uint32": "bigint", "uint64": "decimal(20,0)",
        "halffloat": "real", "float": "real", "double": "double", "date32[day]": "date", "null": "integer",
        "string": "varchar", "large_string": "varchar", "binary": "varbinary", "large_binary": "varbinary",
    }[str(t)]


def value(s):
    if not s.is_valid:
        return None
    t = s.type
    if isinstance(t, pa.BaseExtensionType):
        return value(s.value)
    if pa.types.is_dictionary(t):
        return value(s.value)
    if pa.types.is_boolean(t):
        return s.as_py()
    if pa.types.is_decimal(t):
        return str(int(s.as_py().scaleb(t.scale)))
    if pa.types.is_timestamp(t):
        return str(s.value * {"s": 10**6, "ms": 1000, "us": 1, "ns": 1}[t.unit])
    if pa.types.is_time(t):
        return str(s.value * {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}[t.unit])
    if pa.types.is_date(t):
        return str(s.value)
    if pa.types.is_integer(t):
        return str(s.as_py())
    if pa.types.is_floating(t):
        return {"f": repr(float(s.as_py()))}
    if pa.types.is_map(t):
        return [[value(e[0]), value(e[1])] for e in s.values]
    if hasattr(s, "values") and (pa.types.is_list(t) or pa.types.is_large_list(t) or pa.types.is_fixed_size_list(t)):
        return [value(e) for e in s.values]
    if pa.types.is_struct(t):
        return [value(s[i]) for i in range(t.num_fields)]
    b = s.as_py()
    return {"x": (b.encode() if isinstance(b, str) else b).hex()}


seen = {}  # what was recorded, to the first file that has it


def record(name, types=None):
    table = pq.ParquetFile(os.path.join(HERE, name + ".parquet"), coerce_int96_timestamp_unit="us").read()
    columns = [[f.name, (types or {}).get(f.name) or sqltype(f.type)] for f in table.schema]
    rows = [[value(table.column(c)[r]) for c in range(table.num_columns)] for r in range(table.num_rows)]
    content = json.dumps({"columns": columns, "rows": rows}, separators=(",", ":"))
    first = seen.setdefault(content, name)
    with open(os.path.join(HERE, name + ".json"), "w") as out:
        out.write(content if first == name else json.dumps({"same": first}))


def failing(name, text):
    with open(os.path.join(HERE, name + ".json"), "w") as out:
        json.dump({"error": text}, out)


def write(name, table, types=None, **options):
    pq.write_table(table, os.path.join(HERE, name + ".parquet"), **options)
    record(name, types)


rnd = random.Random(1)


def column(t, n, make, nulls=0.2):
    return pa.array([None if rnd.random() < nulls else make() for _ in range(n)], type=t)


def number(bits, signed=True):
    def make():
        if rnd.random() < 0.1:
            return rnd.choice([-(1 << bits - 1), (1 << bits - 1) - 1, -1] if signed else [0, (1 << bits) - 1])
        return rnd.getrandbits(rnd.randrange(1, bits)) * (rnd.choice([1, -1]) if signed else 1)
    return make


def real():
    return rnd.choice([0.0, -0.0, 1.5, -2.25, float("inf"), float("-inf"), float("nan"), 2.0 ** -20, 65504.0])


def text():
    return rnd.choice(["", "a", "exactly twelv", "long enough not to be inline", "\u00e4\u00f6\u00fc \U0001f600", "z" * 200, str(rnd.random())])


def dec(p):
    def make():
        return rnd.choice([10 ** p - 1, -(10 ** p - 1), 0, rnd.randrange(10 ** p), -rnd.randrange(10 ** min(p, 3))])
    return make


def decimals(p, s):
    make = dec(p)
    return pa.decimal128(p, s), lambda: D(make()).scaleb(-s)


def flat(n, nulls=0.2):
    c = {
        "bool": (pa.bool_(), lambda: rnd.random() < 0.5),
        "i8": (pa.int8(), number(8)), "i16": (pa.int16(), number(16)), "i32": (pa.int32(), number(32)), "i64": (pa.int64(), number(64)),
        "u8": (pa.uint8(), number(8, False)), "u16": (pa.uint16(), number(16, False)),
        "u32": (pa.uint32(), number(32, False)), "u64": (pa.uint64(), number(64, False)),
        "f32": (pa.float32(), real), "f64": (pa.float64(), real), "f16": (pa.float16(), real),
        "d9": decimals(9, 2), "d18": decimals(18, 0), "d19": decimals(19, 19), "d38": decimals(38, 10),
        "s": (pa.string(), text), "ls": (pa.large_string(), text), "bin": (pa.binary(), lambda: text().encode() + b"\xff\x00"),
        "fix": (pa.binary(7), lambda: rnd.randbytes(7)),
        "date": (pa.date32(), lambda: datetime.date(rnd.randrange(1, 9999), 2, 28)),
        "t32": (pa.time32("ms"), lambda: datetime.time(rnd.randrange(24), 59, 59, 999000)),
        "t64": (pa.time64("us"), lambda: datetime.time(rnd.randrange(24), 0, 1, 123456)),
        "t64n": (pa.time64("ns"), lambda: rnd.randrange(86400 * 10**9)),
        "ts_ms": (pa.timestamp("ms"), lambda: rnd.randrange(-10**14, 10**14)),
        "ts_us": (pa.timestamp("us"), lambda: rnd.randrange(-10**16, 10**16)),
        "ts_ns": (pa.timestamp("ns"), lambda: rnd.randrange(-10**18, 10**18)),
        "tz_us": (pa.timestamp("us", "UTC"), lambda: rnd.randrange(-10**16, 10**16)),
        "tz_ms": (pa.timestamp("ms", "Europe/Berlin"), lambda: rnd.randrange(-10**13, 10**13)),
    }
    return pa.table({k: column(t, n, m, nulls) for k, (t, m) in c.items()})


def nested(n):
    def some(make, most=4):
        return lambda: None if rnd.random() < 0.15 else [make() for _ in range(rnd.randrange(most))]

    def maybe(make):
        return lambda: None if rnd.random() < 0.2 else make()

    def row():
        return {"a": maybe(number(32))(), "b": maybe(text)(), "l": some(maybe(text))()}
    rt = pa.struct([("a", pa.int32()), ("b", pa.string()), ("l", pa.list_(pa.string()))])

    def pairs():
        return [(k, maybe(row)()) for k in rnd.sample("abcdef", rnd.randrange(4))]
    c = {
        "l": (pa.list_(pa.int64()), some(maybe(number(64)))),
        "ll": (pa.large_list(pa.list_(pa.string())), some(some(maybe(text)))),
        "llll": (pa.list_(pa.list_(pa.list_(pa.list_(pa.int16())))), some(some(some(some(maybe(number(16))))))),
        "r": (rt, row), "lr": (pa.list_(rt), some(maybe(row))),
        "m": (pa.map_(pa.string(), rt), pairs),
        "deep": (pa.struct([("x", pa.struct([("y", pa.list_(pa.map_(pa.int32(), pa.list_(rt))))]))]),
                 lambda: {"x": maybe(lambda: {"y": some(lambda: [(i, some(maybe(row))()) for i in range(rnd.randrange(3))])()})()}),
        "fl": (pa.list_(pa.float32(), 3), lambda: [1.0, None, 3.0]),
        "ld": (pa.list_(pa.decimal128(20, 3)), some(maybe(lambda: D(rnd.randrange(10**20)).scaleb(-3)))),
    }
    return pa.table({k: column(t, n, m) for k, (t, m) in c.items()})


plain, rest = flat(60), nested(50)
for codec in ["none", "snappy", "gzip", "zstd", "lz4", "brotli"]:
    for v in ["1.0", "2.0"]:
        write(f"flat-{codec}-v{v[0]}", plain, compression=codec, data_page_version=v, write_page_index=v == "2.0",
              use_dictionary=codec in ("none", "gzip", "lz4"), data_page_size=256, write_batch_size=16)
write("flat-required", pa.table({k: v.cast(plain.schema.field(k).type) for k, v in zip(plain.column_names, flat(30, 0).columns)},
                                schema=pa.schema([f.with_nullable(False) for f in plain.schema])))
write("flat-old-version", plain.drop_columns(["ts_ns"]), version="1.0", compression="none", types={"u32": "bigint"})
write("nested-v1", rest, data_page_size=200, write_batch_size=8)
write("nested-v2", rest, data_page_version="2.0", use_dictionary=False, compression="zstd", row_group_size=20, write_page_index=True)
write("nested-plain-lists", rest, use_compliant_nested_type=False)
write("int96", plain.select(["ts_ms", "ts_us", "ts_ns", "i32"]), use_deprecated_int96_timestamps=True,
      types={"ts_ms": "timestamp(6)", "ts_us": "timestamp(6)", "ts_ns": "timestamp(6)"})
write("decimal-ints", plain.select(["d9", "d18", "d19", "d38"]), store_decimal_as_integer=True)
enc = {"i8": "DELTA_BINARY_PACKED", "i16": "DELTA_BINARY_PACKED", "i32": "DELTA_BINARY_PACKED", "i64": "DELTA_BINARY_PACKED",
       "u32": "DELTA_BINARY_PACKED", "u64": "DELTA_BINARY_PACKED", "ts_us": "DELTA_BINARY_PACKED", "date": "DELTA_BINARY_PACKED",
       "s": "DELTA_BYTE_ARRAY", "bin": "DELTA_LENGTH_BYTE_ARRAY", "ls": "DELTA_LENGTH_BYTE_ARRAY", "fix": "DELTA_BYTE_ARRAY",
       "bool": "RLE", "f32": "BYTE_STREAM_SPLIT", "f64": "BYTE_STREAM_SPLIT", "f16": "BYTE_STREAM_SPLIT", "d38": "BYTE_STREAM_SPLIT"}
split = {"i32": "BYTE_STREAM_SPLIT", "i64": "BYTE_STREAM_SPLIT", "fix": "BYTE_STREAM_SPLIT", "date": "BYTE_STREAM_SPLIT", "ts_us": "BYTE_STREAM_SPLIT",
         "s": "DELTA_LENGTH_BYTE_ARRAY", "bin": "DELTA_BYTE_ARRAY", "d19": "DELTA_BYTE_ARRAY"}
for v in ["1.0", "2.0"]:
    for name, e in [("encodings", enc), ("split", split)]:
        write(f"{name}-v{v[0]}", plain.select(list(e)), use_dictionary=False, column_encoding=e, data_page_version=v,
              data_page_size=300, write_batch_size=20, compression="none" if v == "1.0" else "snappy")
same = pa.table({"few": pa.array([rnd.choice(["a", "b", None]) for _ in range(3000)]), "run": pa.array([i // 900 for i in range(3000)]),
                 "seq": pa.array(range(3000)), "yes": pa.array([i % 1000 != 5 for i in range(3000)])})
write("one-huge-page", same, data_page_size=1 << 30, write_batch_size=1 << 20, compression="zstd")
write("many-tiny-pages", same.slice(0, 400), data_page_size=1, write_batch_size=1, compression="none", write_page_index=True)
write("dictionary-falls-back", pa.table({"s": [text() + str(i) for i in range(300)]}), dictionary_pagesize_limit=500, data_page_size=400, write_batch_size=20)
write("nulls-only", pa.table({"n": pa.nulls(20), "i": pa.nulls(20, pa.int64()), "s": pa.nulls(20, pa.string()), "l": pa.nulls(20, pa.list_(pa.int32()))}))
write("no-rows", plain.slice(0, 0))
write("no-statistics", plain.select(["i64", "s", "f64"]), write_statistics=False)
write("extensions", pa.table({"u": pa.array([uuid.UUID(int=rnd.getrandbits(128)).bytes for _ in range(9)] + [None], pa.uuid()),
                              "j": pa.array(['{"a": 1}', "[]", None, "null", '"\u00e4"'] * 2, pa.json_()),
                              "d": pa.array(["x", "y", None, "x", "z"] * 2).dictionary_encode()}))
with pq.ParquetWriter(os.path.join(HERE, "empty-groups.parquet"), same.schema) as w:
    for part in [same.slice(0, 0), same.slice(0, 50), same.slice(0, 0), same.slice(50, 50), same.slice(0, 0)]:
        w.write_table(part)
record("empty-groups")


for v in ["1.0", "2.0"]:
    write(f"checksums-v{v[0]}", plain.select(["i32", "s", "f64", "bool"]).slice(0, 25), write_page_checksum=True, data_page_version=v,
          compression="snappy" if v == "2.0" else "none", data_page_size=100, write_batch_size=8)


class KMS(pe.KmsClient):
    def __init__(self, config):
        super().__init__()

    def wrap_key(self, key, name):
        return base64.b64encode(key)

    def unwrap_key(self, key, name):
        return base64.b64decode(key)


crypto = pe.CryptoFactory(lambda c: KMS(c))
for name, plaintext in [("encrypted-footer", False), ("encrypted-columns", True)]:
    config = pe.EncryptionConfiguration(footer_key="f", column_keys={"c": ["seq"]}, plaintext_footer=plaintext)
    props = crypto.file_encryption_properties(pe.KmsConnectionConfig(), config)
    with pq.ParquetWriter(os.path.join(HERE, name + ".parquet"), same.schema, encryption_properties=props) as w:
        w.write_table(same.slice(0, 10))
    failing(name, "not supported: Parquet files with encryption")

db = duckdb.connect()
db.execute("set timezone='UTC'")
db.execute("set threads=1")
kinds = db.execute("describe select * from test_all_types()").fetchall()
# Of no use here: types without a counterpart, which Parquet holds as bytes.
skip = {"interval", "bit", "bignum", "varint", "hugeint", "uhugeint", "union", "time_tz", "timestamp_array", "timestamptz_array", "date_array",
        "date", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp_tz", "dec38_10", "variant", "geometry", "time_ns", "time",
        "empty_struct", "tuple", "fixed_int_array", "fixed_varchar_array", "fixed_nested_int_array",
        "fixed_nested_varchar_array", "fixed_struct_array", "struct_of_fixed_array", "fixed_array_of_int_list", "medium_enum", "large_enum", "timestamp_tz_ns"}
cols = ", ".join(f'"{k[0]}"' for k in kinds if k[0] not in skip)
db.execute(f"create table a as select {cols} from test_all_types()")
db.execute("""create table b as select i, 'text ' || (i % 17) as s, i % 5 as few, case when i % 3 = 0 then null else i * 1.5 end as f,
    (i * 1.25)::decimal(12, 2) as d, date '2020-01-01' + i::int as day, timestamp '2020-01-01' + interval (i) minute as ts,
    [i, null, i + 1] as l, {'x': i, 'y': 'row ' || i} as r, map([i], ['v']) as m, uuid() as u, i % 2 = 0 as even,
    (case i % 3 when 0 then 'red' when 1 then 'green' end)::enum('red', 'green') as e, i::ubigint as ub, ('{"i": ' || i || '}')::json as j
    from range(700) t(i)""")
for v in ["V1", "V2"]:
    for codec in ["snappy", "zstd"]:
        for t in "ab":
            name = f"duckdb-{t}-{v.lower()}-{codec}"
            db.execute(f"copy {t} to '{os.path.join(HERE, name)}.parquet' (format parquet, parquet_version {v}, codec {codec}, row_group_size 300)")
            if v == "V1":
                record(name, {"u": "uuid", "uuid": "uuid", "j": "json"})
                continue
            # PyArrow does not read a page of nulls in DELTA encoding that has no bytes.
            with open(os.path.join(HERE, name + ".json"), "w") as out:
                json.dump({"same": f"duckdb-{t}-v1-{codec}"}, out)
