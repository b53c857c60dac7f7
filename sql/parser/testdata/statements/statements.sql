explain select 1
explain (type logical) select 1
explain (type distributed, format json) select 1
explain (format graphviz) (select 1)
explain (select 1)
explain (type io, type validate) insert into t select 1
explain analyze select 1
explain analyze verbose explain select 1
show catalogs
show catalogs like 'a%' escape '\'
show schemas
show schemas from c like 'x'
show tables
show tables in c.s like '%'
show columns from c.s.t
show columns in t like 'a'
show functions
show functions from c.s like 'a%'
show session
show session like 'q%'
show create table c.s.t
show create view v
show create materialized view v
show create schema s
show create catalog c
show create function f
show stats for t
show stats for (select * from t)
show grants
show grants on t
show grants on table c.s.t
show grants on schema s
show roles
show roles from c
show current roles
show role grants in c
describe t
desc c.s.t
describe input
describe input p
describe output p
describe output.t
use s
use c.s
set session a = 1
set session c.a = 'x' || 'y'
set session authorization alice
set session authorization 'alice'
set session authorization = 1
reset session c.a
reset session authorization
set time zone local
set time zone 'UTC'
set time zone interval '1' hour
set role all
set role none
set role admin in c
set path a, b.c
prepare p from select ? from t where a = ? limit ?
execute p
execute p using 1, 'a', -3, date '2020-01-01'
execute immediate 'select ''x'''
execute immediate 'select ?' using 1
execute immediate using 1
deallocate prepare p
start transaction
start transaction isolation level serializable, read only
start transaction isolation level read committed, isolation level repeatable read, isolation level read uncommitted, read write
commit
commit work
rollback
rollback work
call p()
call c.s.p(1, x => 2, y => array['a'])
analyze t
analyze c.s.t with (columns = array['a'], x = default)
create table t (a bigint)
create table if not exists c.s.t (a bigint not null comment 'x' with (p = 1), b varchar(10), like u including properties, like v excluding properties, like w) comment 'y' with (format = 'ORC', n = 1 + 1)
create or replace table t (a double precision, b timestamp(3) with time zone, c array(bigint), d row(x bigint), e interval day to second)
create table t as select 1 x
create table if not exists t (a, b) comment 'x' with (p = 1) as select 1, 2 with no data
create or replace table t as (select 1) with data
create table t as (with x as (select 1) select * from x)
create table t as values 1
drop table t
drop table if exists c.s.t
create schema s
create schema if not exists c.s authorization user u with (location = 's3://x')
create schema s authorization u
drop schema s
drop schema if exists s cascade
drop schema s restrict
alter schema s rename to r
alter schema s set authorization role r
create catalog c using tpch
create catalog if not exists c using lake comment 'x' authorization u with ("a.b" = 'c')
create catalog "C" using LAKE with (warehouse = 's3://' || 'b', "s3.path-style" = true, n = 5, d = interval '5' second, e = default, f = ?)
create catalog c using lake comment 'it''s'
drop catalog c
drop catalog if exists c cascade
drop catalog if exists c restrict
show create catalog "My catalog"
insert into t select 1
insert into c.s.t (a, b) values (1, 2)
insert into t (select 1)
insert into t ((select 1) union select 2)
insert into t table u
insert into t with x as (select 1) select * from x
delete from t
delete from c.s.t where a = 1
update t set a = 1, b = b + 1
update t set a = (select 1) where b
truncate table t
merge into t using u on t.a = u.a when matched then delete
merge into c.s.t as x using (select 1 a) y on x.a = y.a when matched and y.b then update set a = 1, b = y.b when not matched and y.c > 1 then insert (a, b) values (1, y.b) when not matched then insert values (1)
create view v as select 1
create or replace view c.s.v comment 'x' security invoker as select 1
create view v security definer with (p = 1) as select 1
drop view v
drop view if exists v
create materialized view v as select 1
create or replace materialized view if not exists v grace period interval '1' day comment 'x' with (p = 1) as select 1
refresh materialized view v
drop materialized view if exists v
alter view v rename to c.w
alter view v set authorization u
alter materialized view if exists v rename to w
alter materialized view v set properties p = 1, q = default
alter table t rename to u
alter table if exists t add column a bigint
alter table t add column if not exists a.b bigint not null comment 'x' first
alter table t add column a bigint after b
alter table t add column a bigint last
alter table if exists t rename column if exists a.b to c
alter table if exists t drop column if exists a.b
alter table t alter column a.b set data type decimal(10, 2)
alter table t alter column a drop not null
alter table t set properties p = 1, q = default
alter table t set authorization user u
alter table t execute optimize
alter table t execute optimize(x => 1, 2) where a > 1
comment on table t is 'x'
comment on view v is null
comment on column c.s.t.a is 'it''s'
