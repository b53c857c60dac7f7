SELECT o_orderkey FROM orders WHERE CAST(o_shippriority AS bigint) = 5;
SELECT o_orderkey FROM orders WHERE o_shippriority < 3000000000;
SELECT o_orderkey FROM orders WHERE CAST(o_orderdate AS timestamp(3)) >= TIMESTAMP '1995-01-01 00:00:00.000';
SELECT o_orderkey FROM orders WHERE CAST(o_orderdate AS timestamp(3)) >= TIMESTAMP '1995-01-01 10:00:00.000';
SELECT o_orderkey FROM orders WHERE o_orderstatus = 'FAIL'
