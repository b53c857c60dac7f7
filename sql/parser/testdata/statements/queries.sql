select 1
select all a from t
select all from t
select all * from t
select distinct a, b from t
values 1, 2
values (1, 'a'), (2, 'b'), row(3), ((4, 5))
table a.b.c
(select 1)
((select 1))
(select 1) limit 1
(select 1 order by 1 limit 1) union all (values 2) order by 1 limit 3
select 1 union select 2 intersect select 3 except all select 4 union distinct select 5
select 1 intersect (select 2 union select 3)
select 1 union all corresponding select 2
with a as (select 1), b (x, y) as (select 1, 2) select * from a, b
with recursive t (n) as (values 1 union all select n + 1 from t where n < 10) select n from t
select * from (with a as (select 1) select * from a) x
select a from t where a > 1 group by a having count(*) > 1 order by a
select a from t group by ()
select a from t group by (a), (a, b), (a + b) * 2, ((a, b)), row(a, b), a -> b
select a from t group by all a, b
select a from t group by distinct rollup (a, b), cube (a, (b, c))
select a from t group by grouping sets ((a, b), (a), a, ())
select a from t group by rollup (), cube ()
select a from t group by all
select a from t group by all having true order by 1
select a from t group by all, b
select a from t group by all (a, b)
select a from t group by all limit 3
select a from t order by a asc, b desc nulls first, c + 1 nulls last
select a from t offset 1 limit 2
select a from t offset ? rows limit ?
select a from t offset 1 row fetch first row only
select a from t fetch next 3 rows with ties
select a from t limit all
select rank() over w from t window w as (partition by a order by b), v as (w rows 1 preceding)
select * from t cross join u
select * from t join u on t.a = u.a left join v using (a, b) right outer join w on true full join x on false
select * from t natural join u natural left join v
select * from a join b join c on b.x = c.x on a.x = b.x
select * from a join (b join c on b.x = c.x) on a.x = b.x
select * from a join b cross join c on a.x = b.x
select * from (a join b on true) as j, (((t)))
select * from a x, b as y (p, q), (select 1) z (one), (values 1) "Z"
select * from ((select 1) union select 2), ((select 1) t cross join u), ((select 1)) x, ((select 1) limit 1) y, ((select 1) limit)
select * from (((select 1)) a join b on true), ((((select 1))))
select * from unnest(a), unnest(a, array[1]) with ordinality as u (x, n), lateral (select a.x) l
select * from t tablesample bernoulli (10), u as x tablesample system (a + 1), t tablesample
select * from table(f()), table(a.b.f(1, x => 2)) as t
select * from table(f(table(a), x => table(select 1) as y (p) partition by (a, b) prune when empty order by (c desc, d), table(b) partition by a keep when empty order by c copartition (a, b)))
select * from table(f(descriptor(a, b bigint), cast(null as descriptor), cast(null as bigint), table(t) partition by ()))
select * from t for version as of 3, t for timestamp as of timestamp '2020-01-01 00:00:00' as x
select * from 's3://bucket/path/*.parquet', 'local/*.csv' as f (a, b), lake.files."s3://b/x"
select limit, offset, fetch, window, at, over, filter from limit, offset limit 1
select a limit, b offset from t limit limit 3
select a over, f(x) over from t fetch first 1 rows only
select * from t window window w as ()
