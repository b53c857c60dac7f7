SELECT count(*) FROM region, nation, customer, orders, lineitem WHERE r_regionkey = n_regionkey AND n_nationkey = c_nationkey AND c_custkey = o_custkey AND o_orderkey = l_orderkey AND r_name = 'ASIA';
SELECT count(*) FROM nation a, nation b, region WHERE a.n_nationkey = b.n_nationkey AND b.n_nationkey = r_regionkey;
SELECT count(*) FROM region, part;
SELECT count(*) FROM orders, (SELECT avg(c_acctbal) m FROM customer) WHERE o_totalprice > m;
SELECT count(*) FROM orders JOIN customer ON o_custkey = c_custkey LEFT JOIN nation ON n_nationkey = c_nationkey JOIN region ON r_regionkey = n_regionkey;
SELECT count(*) FROM nation a, nation b, nation c, nation d, nation e, nation f, nation g, nation h, nation i, nation j, region k WHERE a.n_nationkey = b.n_nationkey AND b.n_nationkey = c.n_nationkey AND c.n_nationkey = d.n_nationkey AND d.n_nationkey = e.n_nationkey AND e.n_nationkey = f.n_nationkey AND f.n_nationkey = g.n_nationkey AND g.n_nationkey = h.n_nationkey AND h.n_nationkey = i.n_nationkey AND i.n_nationkey = j.n_nationkey AND j.n_regionkey = k.r_regionkey
;
SELECT count(*) FROM orders, customer, nation WHERE o_custkey = c_custkey AND c_nationkey = n_nationkey AND n_nationkey < 3;
SELECT count(*) FROM orders, customer, (SELECT l_orderkey k, sum(l_quantity) q FROM lineitem GROUP BY l_orderkey) WHERE o_custkey = c_custkey AND o_orderkey = k AND c_nationkey = 3 AND q > 100
