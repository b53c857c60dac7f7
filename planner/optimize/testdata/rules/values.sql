SELECT a, b FROM (VALUES (1 + 1, upper('x')), (7, 'y'), (10 / 0, 'z')) t (a, b);
SELECT count(*) FROM (VALUES (1), (2), (2 + 1)) t (a) JOIN orders ON a = o_orderkey;
SELECT a FROM (VALUES (random()), (1.0)) t (a);
SELECT a FROM (VALUES 1, 2, 3, 4, 5, 6, 7, 8, 9, 10) t (a) WHERE a > 20
