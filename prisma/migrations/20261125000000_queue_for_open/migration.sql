-- A trade may wait for the exchange to open, and one that has not been sent can be canceled. Trades of before never wait.
ALTER TYPE "reject_code" ADD VALUE 'CANCELED';

ALTER TABLE "trades" ADD COLUMN "queue_for_open" BOOLEAN NOT NULL DEFAULT false;

-- True while a trade that waits for the open is placed: outside the session such rows are passed over, however many they are. In no
-- index, so that the only change of it, when the trade is sent, is a HOT update.
ALTER TABLE "open_trades" ADD COLUMN "waits_for_open" BOOLEAN NOT NULL DEFAULT false;

-- From here on: what the Prisma schema language cannot say.

CREATE OR REPLACE TRIGGER "trades_order_is_fixed" BEFORE UPDATE ON "trades" FOR EACH ROW
    WHEN ((OLD."id", OLD."customer_id", OLD."seq", OLD."partition", OLD."client_order_id", OLD."stock_ticker", OLD."type", OLD."quantity", OLD."created_at", OLD."queue_for_open")
       IS DISTINCT FROM
          (NEW."id", NEW."customer_id", NEW."seq", NEW."partition", NEW."client_order_id", NEW."stock_ticker", NEW."type", NEW."quantity", NEW."created_at", NEW."queue_for_open"))
    EXECUTE FUNCTION refuse_trade_change();
