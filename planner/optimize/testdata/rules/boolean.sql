SELECT o_orderkey FROM orders WHERE NOT (o_custkey < 5 OR NOT o_custkey <> 7);
SELECT o_orderkey FROM orders WHERE o_custkey = 1 OR o_custkey = 2 OR o_custkey IN (3, 2);
SELECT o_orderkey FROM orders WHERE o_custkey IN (4) AND 5 > o_shippriority AND true;
SELECT o_orderkey FROM orders WHERE (o_custkey = 1 AND o_totalprice > 5) OR (o_custkey = 1 AND o_shippriority = 2) OR (o_custkey = 1 AND o_orderstatus = 'F');
SELECT o_orderkey FROM orders WHERE (o_custkey <> 0 AND 10 / o_custkey > 1) OR (o_shippriority = 1 AND 10 / o_custkey > 1)
