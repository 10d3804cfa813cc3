-- CreateEnum
CREATE TYPE "trade_type" AS ENUM ('buy', 'sell');

-- CreateEnum
CREATE TYPE "trade_status" AS ENUM ('placed', 'executed', 'filled', 'rejected');

-- CreateEnum
CREATE TYPE "reject_code" AS ENUM ('INSUFFICIENT_FUNDS', 'INSUFFICIENT_SHARES', 'UNKNOWN_TICKER', 'NO_QUOTE', 'MARKET_CLOSED', 'HALTED', 'EXCHANGE_REJECTED', 'EXCHANGE_UNAVAILABLE', 'ACCOUNT_BLOCKED');

-- CreateTable. The columns stand widest first, so that no row has padding between them.
-- The fillfactor keeps room on each page for the two later versions of a row, so that both are HOT (docs/storage.md).
CREATE TABLE "trades" (
    "id" UUID NOT NULL,
    "customer_id" UUID NOT NULL,
    "seq" BIGSERIAL NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "submitted_at" TIMESTAMPTZ(3),
    "executed_at" TIMESTAMPTZ(3),
    "limit_price" BIGINT,
    "hold" BIGINT,
    "price" BIGINT,
    "reject_needed" BIGINT,
    "reject_available" BIGINT,
    "type" "trade_type" NOT NULL,
    "quantity" INTEGER NOT NULL,
    "status" "trade_status" NOT NULL DEFAULT 'placed',
    "reject_code" "reject_code",
    "partition" SMALLINT NOT NULL,
    "client_order_id" VARCHAR(64) NOT NULL,
    "stock_ticker" VARCHAR(10) NOT NULL,
    "execution_id" VARCHAR(64),
    "reason" VARCHAR(300),

    CONSTRAINT "trades_pkey" PRIMARY KEY ("id")
) WITH (fillfactor = 50);

-- CreateTable
CREATE TABLE "open_trades" (
    "customer_id" UUID NOT NULL,
    "trade_id" UUID NOT NULL,
    "seq" BIGINT NOT NULL,
    "partition" SMALLINT NOT NULL,

    CONSTRAINT "open_trades_pkey" PRIMARY KEY ("partition","customer_id","seq")
);

-- CreateTable
CREATE TABLE "balances" (
    "customer_id" UUID NOT NULL,
    "amount" BIGINT NOT NULL,
    "held" BIGINT NOT NULL DEFAULT 0,
    "last_modified" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "buys_blocked" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "balances_pkey" PRIMARY KEY ("customer_id")
) WITH (fillfactor = 80);

-- CreateTable
CREATE TABLE "positions" (
    "customer_id" UUID NOT NULL,
    "quantity" BIGINT NOT NULL,
    "held" BIGINT NOT NULL DEFAULT 0,
    "stock_ticker" VARCHAR(10) NOT NULL,

    CONSTRAINT "positions_pkey" PRIMARY KEY ("customer_id","stock_ticker")
) WITH (fillfactor = 80);

-- CreateTable
CREATE TABLE "partition_leases" (
    "epoch" BIGINT NOT NULL DEFAULT 0,
    "since" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "partition" SMALLINT NOT NULL,
    "leader" VARCHAR(100) NOT NULL DEFAULT '',

    CONSTRAINT "partition_leases_pkey" PRIMARY KEY ("partition")
) WITH (fillfactor = 50);

-- CreateTable
CREATE TABLE "callback_quarantine" (
    "id" BIGSERIAL NOT NULL,
    "digest" BYTEA NOT NULL,
    "trade_id" UUID,
    "why" VARCHAR(300) NOT NULL,
    "raw" BYTEA NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "resolved_at" TIMESTAMPTZ(3),
    "resolution" VARCHAR(300),

    CONSTRAINT "callback_quarantine_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "trades_customer_id_client_order_id_key" ON "trades"("customer_id", "client_order_id");

-- CreateIndex
CREATE UNIQUE INDEX "trades_customer_id_seq_key" ON "trades"("customer_id", "seq");

-- CreateIndex
CREATE UNIQUE INDEX "callback_quarantine_digest_key" ON "callback_quarantine"("digest");

-- From here on: what the Prisma schema language cannot say.

ALTER TABLE "trades"
    ADD CONSTRAINT "trades_quantity_positive" CHECK ("quantity" BETWEEN 1 AND 1000000),
    ADD CONSTRAINT "trades_money_positive" CHECK ("limit_price" > 0 AND "hold" >= 0 AND "price" > 0),
    -- What each status must have, and must not have.
    ADD CONSTRAINT "trades_status_complete" CHECK (CASE "status"
        WHEN 'placed' THEN num_nonnulls("limit_price", "hold", "price", "submitted_at", "executed_at", "reject_code") = 0
        WHEN 'executed' THEN num_nulls("limit_price", "hold", "submitted_at") = 0 AND num_nonnulls("price", "executed_at", "reject_code") = 0
        WHEN 'filled' THEN num_nulls("limit_price", "hold", "submitted_at", "price", "execution_id", "executed_at") = 0 AND "reject_code" IS NULL
        WHEN 'rejected' THEN num_nulls("reject_code", "reason") = 0 AND "price" IS NULL
    END);

ALTER TABLE "balances" ADD CONSTRAINT "balances_held_not_negative" CHECK ("held" >= 0);

ALTER TABLE "positions" ADD CONSTRAINT "positions_held_owned" CHECK ("held" BETWEEN 0 AND "quantity");

-- A hold is taken only from what is there. Not a CHECK: a real fill that cost more than its hold is always booked, and may leave
-- less than other holds; but no new hold may be taken then.
CREATE FUNCTION refuse_uncovered_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'customer %: a hold of % is more than the cash of %', NEW.customer_id, NEW.held, NEW.amount
        USING ERRCODE = 'check_violation', CONSTRAINT = 'balances_hold_covered';
END $$;

CREATE TRIGGER "balances_hold_covered" BEFORE UPDATE ON "balances" FOR EACH ROW
    WHEN (NEW."held" > OLD."held" AND NEW."held" > NEW."amount") EXECUTE FUNCTION refuse_uncovered_hold();

-- placed -> executed | rejected, executed -> filled | rejected; final rows never change; what was ordered never changes.
-- The conditions are in the triggers, so that a legal change calls no function.
CREATE FUNCTION refuse_trade_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'trade %: % by % from % is not allowed', OLD.id, TG_NAME, TG_OP, OLD.status
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
END $$;

CREATE TRIGGER "trades_final_is_final" BEFORE UPDATE ON "trades" FOR EACH ROW
    WHEN (OLD."status" IN ('filled', 'rejected')) EXECUTE FUNCTION refuse_trade_change();

CREATE TRIGGER "trades_never_deleted" BEFORE DELETE ON "trades" FOR EACH ROW EXECUTE FUNCTION refuse_trade_change();

CREATE TRIGGER "trades_transition" BEFORE UPDATE ON "trades" FOR EACH ROW
    WHEN (NOT (OLD."status" = 'placed' AND NEW."status" IN ('executed', 'rejected'))
      AND NOT (OLD."status" = 'executed' AND NEW."status" IN ('filled', 'rejected'))) EXECUTE FUNCTION refuse_trade_change();

CREATE TRIGGER "trades_order_is_fixed" BEFORE UPDATE ON "trades" FOR EACH ROW
    WHEN ((OLD."id", OLD."customer_id", OLD."seq", OLD."partition", OLD."client_order_id", OLD."stock_ticker", OLD."type", OLD."quantity", OLD."created_at")
       IS DISTINCT FROM
          (NEW."id", NEW."customer_id", NEW."seq", NEW."partition", NEW."client_order_id", NEW."stock_ticker", NEW."type", NEW."quantity", NEW."created_at"))
    EXECUTE FUNCTION refuse_trade_change();

-- A status change must not enter a new row into open_trades, and each final trade must have left it; the hot statements do both
-- in the statement that changes the status. Rows come and go quickly here: vacuum early, the table stays small.
ALTER TABLE "open_trades" SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
