-- Which trade each execution of the exchange was booked for: an id that is reported for a second order is refused by the key.
-- Beside trades, not an index on it: a status change writes trades.execution_id, and would no longer be a HOT update.
CREATE TABLE "executions" (
    "trade_id" UUID NOT NULL,
    "execution_id" VARCHAR(64) COLLATE "C" NOT NULL,

    CONSTRAINT "executions_pkey" PRIMARY KEY ("execution_id")
);

-- Set when the report was booked all the same: an operator must look at it, but the money has moved.
ALTER TABLE "callback_quarantine" ADD COLUMN "booked" BOOLEAN NOT NULL DEFAULT false;

-- From here on: what the Prisma schema language cannot say.

-- Trades are filled by nobody until all fills of before are entered.
LOCK TABLE "trades" IN SHARE ROW EXCLUSIVE MODE;

-- Until now one id could be booked for two orders. The one that was placed first keeps it; the others stay as they are.
INSERT INTO "executions" ("trade_id", "execution_id")
SELECT id, execution_id FROM "trades" WHERE status = 'filled' ORDER BY execution_id, seq
ON CONFLICT DO NOTHING;

CREATE TRIGGER "executions_fixed" BEFORE UPDATE OR DELETE ON "executions" FOR EACH ROW EXECUTE FUNCTION refuse_history_change();
