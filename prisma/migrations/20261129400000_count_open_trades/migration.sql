-- A customer may have so many open trades and no more. This counts them, as far as `most`: one probe of the index for who has few.
-- For a statement that holds the lock of the customer's balance. VOLATILE: it sees all that was committed before it is called, while the
-- statement itself sees what was there before it waited for that lock. A count kept in the balance would cost nothing, but each
-- process of an earlier version, and each hand that mends open_trades, would let it drift.
CREATE FUNCTION count_open_trades(of_partition SMALLINT, of_customer UUID, most INTEGER) RETURNS INTEGER LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN (SELECT count(*) FROM (
        SELECT FROM open_trades o WHERE o.partition = of_partition AND o.customer_id = of_customer LIMIT most) AS counted);
END $$;
