-- Each change of a customer's trades or account has a revision, counted for each customer from 1 without gaps, so that a client that
-- was away can be told exactly what it missed. The count stands in the balance, whose lock each change takes; a trade keeps the
-- revisions of its own changes. Trades of before have none.
ALTER TABLE "balances" ADD COLUMN "revision" INTEGER NOT NULL DEFAULT 0;

ALTER TABLE "trades" ADD COLUMN "placed_revision" INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN "executed_revision" INTEGER,
    ADD COLUMN "final_revision" INTEGER;
