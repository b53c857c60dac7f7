SELECT o_custkey FROM orders WHERE o_orderkey = 1 AND o_orderkey = 2;
SELECT o_custkey FROM orders WHERE o_orderkey IN (1, 2, 3) AND o_orderkey > 3;
SELECT o_custkey FROM orders WHERE o_orderkey > 5 AND o_orderkey < 5;
SELECT o_custkey FROM orders WHERE o_orderkey >= 5 AND o_orderkey < 5;
SELECT o_custkey FROM orders WHERE o_orderpriority = '1-URGENT' AND o_orderpriority LIKE '2%';
SELECT o_custkey FROM orders WHERE o_orderdate > DATE '1995-01-01' AND o_orderdate < DATE '1994-01-01';
SELECT o_custkey FROM orders JOIN lineitem ON l_orderkey = o_orderkey WHERE o_orderkey = 1 AND l_orderkey = 2;
SELECT c_custkey, o_orderkey FROM customer LEFT JOIN orders ON c_custkey = o_custkey AND o_orderkey > 5 AND o_orderkey < 3;
SELECT o_custkey FROM orders WHERE o_orderkey >= 5 AND o_orderkey <= 5;
SELECT o_custkey FROM orders WHERE o_orderkey IN (1, 2, 3) AND o_orderkey > 2;
SELECT o_custkey FROM orders WHERE o_orderkey = 1 AND o_custkey = 2;
SELECT o_custkey FROM orders WHERE o_orderkey = 1 OR o_orderkey > 5 AND o_orderkey < 3;
SELECT o_orderkey = 1 AND o_orderkey = 2 FROM orders;
SELECT o_custkey FROM orders WHERE o_orderkey = 0 AND 1 / o_orderkey > 0;
SELECT o_custkey FROM orders WHERE o_orderkey IN (1, 2) AND o_orderkey * random() < 0
