-- The server cannot read an encrypted message: a report has what the device of its reporter says that it says.
alter table report_message add column claimed_text text;  -- null: the reporter has told none, or the message is not encrypted
