SELECT count(*) FROM orders, customer WHERE (o_custkey = c_custkey AND o_totalprice > 5) OR (o_custkey = c_custkey AND c_acctbal > 5);
SELECT count(*) FROM orders JOIN customer ON o_custkey = c_custkey WHERE (o_orderstatus = 'F' AND c_nationkey = 1) OR (o_orderstatus = 'O' AND c_nationkey = 2);
SELECT count(*) FROM orders LEFT JOIN customer ON o_custkey = c_custkey AND ((o_orderstatus = 'F' AND c_nationkey = 1) OR (o_orderstatus = 'O' AND c_nationkey = 2))
