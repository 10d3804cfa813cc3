-- What an operator needs: books that can be proven at any time, and a record of what operators did.

-- Whatever moved a customer's cash or shares other than a trade: openings now, deposits and withdrawals once another system makes
-- them. Whoever changes balances.amount or positions.quantity so, enters it here in the same statement. With it, cash = entries +
-- fills can be proven for each customer, on the live database.
CREATE TABLE "account_entries" (
    "id" BIGSERIAL NOT NULL,
    "customer_id" UUID NOT NULL,
    "amount" BIGINT NOT NULL,
    "entered_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "stock_ticker" VARCHAR(10),
    "why" VARCHAR(100) NOT NULL,

    CONSTRAINT "account_entries_pkey" PRIMARY KEY ("customer_id","id")
);

-- CreateTable
CREATE TABLE "operator_actions" (
    "id" BIGSERIAL NOT NULL,
    "done_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "operator" VARCHAR(100) NOT NULL,
    "action" VARCHAR(40) NOT NULL,
    "subject" VARCHAR(100) NOT NULL,
    "note" VARCHAR(300) NOT NULL,

    CONSTRAINT "operator_actions_pkey" PRIMARY KEY ("id")
);

-- From here on: what the Prisma schema language cannot say.

-- Accounts that exist already get what their fills do not explain as their opening: from here on each cent is accounted for.
INSERT INTO "account_entries" ("customer_id", "amount", "why")
SELECT b.customer_id, b.amount - coalesce(t.moved, 0), 'baseline'
FROM "balances" b LEFT JOIN (
    SELECT customer_id, sum(quantity * price * CASE type WHEN 'buy' THEN -1 ELSE 1 END) AS moved
    FROM "trades" WHERE status = 'filled' GROUP BY customer_id
) AS t USING (customer_id);

INSERT INTO "account_entries" ("customer_id", "stock_ticker", "amount", "why")
SELECT customer_id, stock_ticker, coalesce(p.quantity, 0) - coalesce(t.moved, 0), 'baseline'
FROM "positions" p FULL JOIN (
    SELECT customer_id, stock_ticker, sum(quantity * CASE type WHEN 'buy' THEN 1 ELSE -1 END) AS moved
    FROM "trades" WHERE status = 'filled' GROUP BY customer_id, stock_ticker
) AS t USING (customer_id, stock_ticker)
WHERE coalesce(p.quantity, 0) <> coalesce(t.moved, 0);

-- History is added to, never changed.
CREATE FUNCTION refuse_history_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is added to, never changed', TG_TABLE_NAME USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
END $$;

CREATE TRIGGER "account_entries_fixed" BEFORE UPDATE OR DELETE ON "account_entries" FOR EACH ROW EXECUTE FUNCTION refuse_history_change();
CREATE TRIGGER "operator_actions_fixed" BEFORE UPDATE OR DELETE ON "operator_actions" FOR EACH ROW EXECUTE FUNCTION refuse_history_change();

-- What operators look for: rows not resolved yet, and those of one trade.
CREATE INDEX "callback_quarantine_unresolved" ON "callback_quarantine" ("id") WHERE "resolved_at" IS NULL;
CREATE INDEX "callback_quarantine_unresolved_trade" ON "callback_quarantine" ("trade_id") WHERE "resolved_at" IS NULL;
