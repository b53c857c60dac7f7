SELECT o_orderkey FROM orders WHERE o_orderdate < DATE '1995-01-01' + INTERVAL '3' MONTH AND o_totalprice > 10 * 100.5;
SELECT 1 / 0 FROM region;
SELECT coalesce(NULL, 3, r_regionkey), CASE WHEN 1 = 2 THEN 'a' WHEN true THEN r_name END FROM region
