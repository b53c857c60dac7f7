select a, b.c, t.*, *, "Q""t" as "x y", 1 one from t
select -1, - 1, -(1), -(-1), -a, +a, +1, -a * b, - - a
select 1, 0xff, 0o17, 0b101, 1_000_000, 0xFF_FF, -9223372036854775808
select 1.5, .5, 2., 1_0.5_5, 1e5, 1.5E-3, .5e+2, 1e400, -1e400, 1e-400
select 'it''s', '', U&'\0041\+01F600\\', U&'!0041' uescape '!', x'00fF', X'', x'0a 0b'
select null, true, false, ?, ? + ?
select date '2020-01-01', timestamp '2020-01-01 00:00:00', time '01:02:03', decimal '1.5', bigint '3', char 'ab', json '{}', double precision '1e0', "my type" 'x'
select interval '1' day, interval -'1-2' year to month, interval + '1' second, interval '1 2' day to hour
select a + b * c - d, (a + b) * c, a - (b - c), a || b || c, a % b / c, (a || b) + c
select a at time zone 'UTC', a at time zone interval '1' hour, -a at time zone 'x'
select a = b, a <> b, a != b, a < b, a <= b, a > b, a >= b, (a = b) = c
select a = any (select 1), a <> all (values 1), a >= some (table t), a = any(x), all = any
select a between 1 and 2 and b not between c + 1 and d
select a in (1, 2), a not in (select 1), a in ((select 1)), a in ((select 1), 2), a in ((select 1) union select 2), a in (((select 1)) + 1)
select a like 'x', a not like b || c escape '#'
select a is null, a is not null, a is distinct from b, a is not distinct from b + 1
select not a, not not a, not a = b, not (a and b), a and not b or c and (d or e) and f
select exists (select 1), (select 1), ((select 1)), ((select 1) union select 2), ((select 1) + 1), ((select 1), 2), (((select 1) limit 1))
select (1, 2), row(1), row(1, 2), ((1, 2), 3), (a), ((a)), row(row(1))
select array[], array[1, 2], array[array[1]], a[1], a[1][2], a.b[1].c, f(x)[1].y, (1, 2)[1], (row(1, 2)).*
select (row(1, 2)).* as (x, y), t.* as (a), a.b.c.*
select case when a then b end, case when a then b when c then d else e end, case x when 1 then 2 else 3 end
select cast(a as bigint), try_cast(a as varchar(10)), cast(null as array(row(a bigint, b varchar)))
select extract(year from a), extract(timezone_hour from a + b)
select trim(a), trim(' ' from a), trim(both from a), trim(leading 'x' from a), trim(trailing from a), trim(a, 'x'), trim(both), trim(both, x)
select substring(a from 1), substring(a from 1 for 2), substring(a, 1, 2), Substring(a), position('a' in b), position(a, b), position(a = b)
select normalize(a), normalize(a, NFKD)
select current_date, current_time, current_time(3), current_timestamp, current_timestamp(0), localtime, localtime(1), localtimestamp, localtimestamp(6)
select current_user, current_catalog, current_schema, current_path
select f(), f(*), f(1, 2), a.b.f(x), "F"(x), f(distinct x), f(all x), f(x, y order by a desc nulls last, b), f(order by x)
select count(*) filter (where a > 1), sum(x) over (), sum(x) over w, sum(x) filter (where y) over (partition by a, b order by c)
select sum(x) over (w), sum(x) over (w order by a), sum(x) over (rows unbounded preceding), sum(x) over (order by a range between unbounded preceding and unbounded following)
select sum(x) over (order by a rows between 1 + 1 preceding and ? following), sum(x) over (order by a groups between current row and interval '1' day following)
select lag(x, 1) ignore nulls over (order by y), lead(x) respect nulls over w
select listagg(a) within group (order by b), listagg(distinct a, ',' on overflow error) within group (order by b, c), listagg(a, ',' on overflow truncate '..' with count) within group (order by b) filter (where c), listagg(a on overflow truncate without count) within group (order by b)
select f(x -> x + 1), f((x, y) -> x + y), f(() -> 1), f(x -> y -> x and y), x -> (select x)
select grouping(a), grouping(a, t.b), grouping()
select if(a, b, c), nullif(a, b), coalesce(a, b), count, count(a), map(a, b), map
