--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: graphile_worker; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA graphile_worker;


--
-- Name: pg_trgm; Type: EXTENSION; Schema: -; Owner: -
--

CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;


--
-- Name: EXTENSION pg_trgm; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON EXTENSION pg_trgm IS 'text similarity measurement and index searching based on trigrams';


--
-- Name: job_spec; Type: TYPE; Schema: graphile_worker; Owner: -
--

CREATE TYPE graphile_worker.job_spec AS (
	identifier text,
	payload json,
	queue_name text,
	run_at timestamp with time zone,
	max_attempts smallint,
	job_key text,
	priority smallint,
	flags text[]
);


--
-- Name: conversation_kind; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.conversation_kind AS ENUM (
    'DIRECT',
    'GROUP'
);


--
-- Name: device_kind; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.device_kind AS ENUM (
    'WEB',
    'DESKTOP',
    'PHONE',
    'TABLET',
    'OTHER'
);


--
-- Name: history_visibility; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.history_visibility AS ENUM (
    'ALL',
    'SINCE_JOINING'
);


--
-- Name: last_active_visibility; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.last_active_visibility AS ENUM (
    'EVERYONE',
    'CONTACTS',
    'NOBODY'
);


--
-- Name: member_role; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.member_role AS ENUM (
    'OWNER',
    'ADMIN',
    'MEMBER'
);


--
-- Name: message_policy; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.message_policy AS ENUM (
    'ANYONE',
    'CONTACTS',
    'SHARED_CONVERSATION'
);


--
-- Name: presence_mode; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.presence_mode AS ENUM (
    'AUTOMATIC',
    'DO_NOT_DISTURB',
    'INVISIBLE'
);


--
-- Name: push_kind; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.push_kind AS ENUM (
    'MESSAGE',
    'CLEAR',
    'TEST'
);


--
-- Name: push_level; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.push_level AS ENUM (
    'ALL',
    'MENTIONS',
    'NONE'
);


--
-- Name: push_outcome; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.push_outcome AS ENUM (
    'QUEUED',
    'SENT',
    'SKIPPED',
    'FAILED'
);


--
-- Name: push_provider; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.push_provider AS ENUM (
    'WEB_PUSH',
    'WEBHOOK'
);


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: _private_jobs; Type: TABLE; Schema: graphile_worker; Owner: -
--

CREATE TABLE graphile_worker._private_jobs (
    id bigint NOT NULL,
    job_queue_id integer,
    task_id integer NOT NULL,
    payload json DEFAULT '{}'::json NOT NULL,
    priority smallint DEFAULT 0 NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    max_attempts smallint DEFAULT 25 NOT NULL,
    last_error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    key text,
    locked_at timestamp with time zone,
    locked_by text,
    revision integer DEFAULT 0 NOT NULL,
    flags jsonb,
    is_available boolean GENERATED ALWAYS AS (((locked_at IS NULL) AND (attempts < max_attempts))) STORED NOT NULL,
    CONSTRAINT jobs_key_check CHECK (((length(key) > 0) AND (length(key) <= 512))),
    CONSTRAINT jobs_max_attempts_check CHECK ((max_attempts >= 1))
);


--
-- Name: add_job(text, json, text, timestamp with time zone, integer, text, integer, text[], text); Type: FUNCTION; Schema: graphile_worker; Owner: -
--

CREATE FUNCTION graphile_worker.add_job(identifier text, payload json DEFAULT NULL::json, queue_name text DEFAULT NULL::text, run_at timestamp with time zone DEFAULT NULL::timestamp with time zone, max_attempts integer DEFAULT NULL::integer, job_key text DEFAULT NULL::text, priority integer DEFAULT NULL::integer, flags text[] DEFAULT NULL::text[], job_key_mode text DEFAULT 'replace'::text) RETURNS graphile_worker._private_jobs
    LANGUAGE plpgsql
    AS $$
declare
  v_job "graphile_worker"._private_jobs;
begin
  if (job_key is null or job_key_mode is null or job_key_mode in ('replace', 'preserve_run_at')) then
    select * into v_job
    from "graphile_worker".add_jobs(
      ARRAY[(
        identifier,
        payload,
        queue_name,
        run_at,
        max_attempts::smallint,
        job_key,
        priority::smallint,
        flags
      )::"graphile_worker".job_spec],
      (job_key_mode = 'preserve_run_at')
    )
    limit 1;
    return v_job;
  elsif job_key_mode = 'unsafe_dedupe' then
    -- Ensure all the tasks exist
    insert into "graphile_worker"._private_tasks as tasks (identifier)
    values (add_job.identifier)
    on conflict do nothing;
    -- Ensure all the queues exist
    if add_job.queue_name is not null then
      insert into "graphile_worker"._private_job_queues as job_queues (queue_name)
      values (add_job.queue_name)
      on conflict do nothing;
    end if;
    -- Insert job, but if one already exists then do nothing, even if the
    -- existing job has already started (and thus represents an out-of-date
    -- world state). This is dangerous because it means that whatever state
    -- change triggered this add_job may not be acted upon (since it happened
    -- after the existing job started executing, but no further job is being
    -- scheduled), but it is useful in very rare circumstances for
    -- de-duplication. If in doubt, DO NOT USE THIS.
    insert into "graphile_worker"._private_jobs as jobs (
      job_queue_id,
      task_id,
      payload,
      run_at,
      max_attempts,
      key,
      priority,
      flags
    )
      select
        job_queues.id,
        tasks.id,
        coalesce(add_job.payload, '{}'::json),
        coalesce(add_job.run_at, now()),
        coalesce(add_job.max_attempts::smallint, 25::smallint),
        add_job.job_key,
        coalesce(add_job.priority::smallint, 0::smallint),
        (
          select jsonb_object_agg(flag, true)
          from unnest(add_job.flags) as item(flag)
        )
      from "graphile_worker"._private_tasks as tasks
      left join "graphile_worker"._private_job_queues as job_queues
      on job_queues.queue_name = add_job.queue_name
      where tasks.identifier = add_job.identifier
    on conflict (key)
      -- Bump the updated_at so that there's something to return
      do update set
        revision = jobs.revision + 1,
        updated_at = now()
      returning *
      into v_job;
    if v_job.revision = 0 then
      perform pg_notify('jobs:insert', '{"r":' || random()::text || ',"count":1}');
    end if;
    return v_job;
  else
    raise exception 'Invalid job_key_mode value, expected ''replace'', ''preserve_run_at'' or ''unsafe_dedupe''.' using errcode = 'GWBKM';
  end if;
end;
$$;


--
-- Name: add_jobs(graphile_worker.job_spec[], boolean); Type: FUNCTION; Schema: graphile_worker; Owner: -
--

CREATE FUNCTION graphile_worker.add_jobs(specs graphile_worker.job_spec[], job_key_preserve_run_at boolean DEFAULT false) RETURNS SETOF graphile_worker._private_jobs
    LANGUAGE plpgsql
    AS $$
begin
  -- Ensure all the tasks exist
  insert into "graphile_worker"._private_tasks as tasks (identifier)
  select distinct spec.identifier
  from unnest(specs) spec
  on conflict do nothing;
  -- Ensure all the queues exist
  insert into "graphile_worker"._private_job_queues as job_queues (queue_name)
  select distinct spec.queue_name
  from unnest(specs) spec
  where spec.queue_name is not null
  on conflict do nothing;
  -- Ensure any locked jobs have their key cleared - in the case of locked
  -- existing job create a new job instead as it must have already started
  -- executing (i.e. it's world state is out of date, and the fact add_job
  -- has been called again implies there's new information that needs to be
  -- acted upon).
  update "graphile_worker"._private_jobs as jobs
  set
    key = null,
    attempts = jobs.max_attempts,
    updated_at = now()
  from unnest(specs) spec
  where spec.job_key is not null
  and jobs.key = spec.job_key
  and is_available is not true;

  -- WARNING: this count is not 100% accurate; 'on conflict' clause will cause it to be an overestimate
  perform pg_notify('jobs:insert', '{"r":' || random()::text || ',"count":' || array_length(specs, 1)::text || '}');

  -- TODO: is there a risk that a conflict could occur depending on the
  -- isolation level?
  return query insert into "graphile_worker"._private_jobs as jobs (
    job_queue_id,
    task_id,
    payload,
    run_at,
    max_attempts,
    key,
    priority,
    flags
  )
    select
      job_queues.id,
      tasks.id,
      coalesce(spec.payload, '{}'::json),
      coalesce(spec.run_at, now()),
      coalesce(spec.max_attempts, 25),
      spec.job_key,
      coalesce(spec.priority, 0),
      (
        select jsonb_object_agg(flag, true)
        from unnest(spec.flags) as item(flag)
      )
    from unnest(specs) spec
    inner join "graphile_worker"._private_tasks as tasks
    on tasks.identifier = spec.identifier
    left join "graphile_worker"._private_job_queues as job_queues
    on job_queues.queue_name = spec.queue_name
  on conflict (key) do update set
    job_queue_id = excluded.job_queue_id,
    task_id = excluded.task_id,
    payload =
      case
      when json_typeof(jobs.payload) = 'array' and json_typeof(excluded.payload) = 'array' then
        (jobs.payload::jsonb || excluded.payload::jsonb)::json
      else
        excluded.payload
      end,
    max_attempts = excluded.max_attempts,
    run_at = (case
      when job_key_preserve_run_at is true and jobs.attempts = 0 then jobs.run_at
      else excluded.run_at
    end),
    priority = excluded.priority,
    revision = jobs.revision + 1,
    flags = excluded.flags,
    -- always reset error/retry state
    attempts = 0,
    last_error = null,
    updated_at = now()
  where jobs.locked_at is null
  returning *;
end;
$$;


--
-- Name: complete_jobs(bigint[]); Type: FUNCTION; Schema: graphile_worker; Owner: -
--

CREATE FUNCTION graphile_worker.complete_jobs(job_ids bigint[]) RETURNS SETOF graphile_worker._private_jobs
    LANGUAGE sql
    AS $$
  delete from "graphile_worker"._private_jobs as jobs
    where id = any(job_ids)
    and (
      locked_at is null
    or
      locked_at < now() - interval '4 hours'
    )
    returning *;
$$;


--
-- Name: force_unlock_workers(text[]); Type: FUNCTION; Schema: graphile_worker; Owner: -
--

CREATE FUNCTION graphile_worker.force_unlock_workers(worker_ids text[]) RETURNS void
    LANGUAGE sql
    AS $$
update "graphile_worker"._private_jobs as jobs
set locked_at = null, locked_by = null
where locked_by = any(worker_ids);
update "graphile_worker"._private_job_queues as job_queues
set locked_at = null, locked_by = null
where locked_by = any(worker_ids);
$$;


--
-- Name: permanently_fail_jobs(bigint[], text); Type: FUNCTION; Schema: graphile_worker; Owner: -
--

CREATE FUNCTION graphile_worker.permanently_fail_jobs(job_ids bigint[], error_message text DEFAULT NULL::text) RETURNS SETOF graphile_worker._private_jobs
    LANGUAGE sql
    AS $$
  update "graphile_worker"._private_jobs as jobs
    set
      last_error = coalesce(error_message, 'Manually marked as failed'),
      attempts = max_attempts,
      updated_at = now()
    where id = any(job_ids)
    and (
      locked_at is null
    or
      locked_at < NOW() - interval '4 hours'
    )
    returning *;
$$;


--
-- Name: remove_job(text); Type: FUNCTION; Schema: graphile_worker; Owner: -
--

CREATE FUNCTION graphile_worker.remove_job(job_key text) RETURNS graphile_worker._private_jobs
    LANGUAGE plpgsql STRICT
    AS $$
declare
  v_job "graphile_worker"._private_jobs;
begin
  -- Delete job if not locked
  delete from "graphile_worker"._private_jobs as jobs
    where key = job_key
    and (
      locked_at is null
    or
      locked_at < NOW() - interval '4 hours'
    )
  returning * into v_job;
  if not (v_job is null) then
    perform pg_notify('jobs:insert', '{"r":' || random()::text || ',"count":-1}');
    return v_job;
  end if;
  -- Otherwise prevent job from retrying, and clear the key
  update "graphile_worker"._private_jobs as jobs
  set
    key = null,
    attempts = jobs.max_attempts,
    updated_at = now()
  where key = job_key
  returning * into v_job;
  return v_job;
end;
$$;


--
-- Name: reschedule_jobs(bigint[], timestamp with time zone, integer, integer, integer); Type: FUNCTION; Schema: graphile_worker; Owner: -
--

CREATE FUNCTION graphile_worker.reschedule_jobs(job_ids bigint[], run_at timestamp with time zone DEFAULT NULL::timestamp with time zone, priority integer DEFAULT NULL::integer, attempts integer DEFAULT NULL::integer, max_attempts integer DEFAULT NULL::integer) RETURNS SETOF graphile_worker._private_jobs
    LANGUAGE sql
    AS $$
  update "graphile_worker"._private_jobs as jobs
    set
      run_at = coalesce(reschedule_jobs.run_at, jobs.run_at),
      priority = coalesce(reschedule_jobs.priority::smallint, jobs.priority),
      attempts = coalesce(reschedule_jobs.attempts::smallint, jobs.attempts),
      max_attempts = coalesce(reschedule_jobs.max_attempts::smallint, jobs.max_attempts),
      updated_at = now()
    where id = any(job_ids)
    and (
      locked_at is null
    or
      locked_at < NOW() - interval '4 hours'
    )
    returning *;
$$;


--
-- Name: journal_change(text[], bigint[], bigint[], text[], integer[], boolean[], integer, integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.journal_change(change text[], message_id bigint[], actor bigint[], body text[], expected integer[], entitled boolean[], emoji_max integer, pins_max integer, OUT positions bigint[], OUT conversations bigint[], OUT statuses smallint[], OUT at timestamp with time zone, OUT batch_tag integer, OUT previous_tag integer) RETURNS record
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
declare
  head bigint; prev timestamptz; m message; fact_kind smallint; changed int;
begin
  perform 1 from unnest(message_id) u(id) cross join lateral (select 1 from message x where x.id = u.id limit 1) x;
  perform journal_lock();
  select h.head, h.at, h.tag into head, prev, previous_tag from journal_head() h;
  at := greatest(clock_timestamp(), prev);
  batch_tag := journal_tag();
  for i in 1..cardinality(message_id) loop
    positions[i] := null; conversations[i] := null;
    select * into m from message x where x.id = message_id[i];
    if not found or not exists (select 1 from current_audience a
         where a.conversation_id = m.conversation_id and a.user_id = actor[i] and m.seq > a.visible_from_seq) then
      statuses[i] := 3; continue;
    end if;
    if change[i] = 'edit' then
      fact_kind := 7;
      if m.deleted_at is not null then statuses[i] := 4; continue; end if;
      if m.sender_id <> actor[i] then statuses[i] := 5; continue; end if;
      if m.text = body[i] then statuses[i] := 1; continue; end if;
      if expected[i] is not null and m.version <> expected[i] then statuses[i] := 2; continue; end if;
      insert into message_version(message_id, version, text, written_at) values (m.id, m.version, m.text, coalesce(m.edited_at, m.created_at));
      update message x set text = body[i], version = m.version + 1, edited_at = at, changed_position = head + 1 where x.id = m.id;
    elsif change[i] = 'delete' then
      fact_kind := 8;
      if m.sender_id <> actor[i] and not entitled[i] then statuses[i] := 5; continue; end if;
      if m.deleted_at is not null then statuses[i] := 1; continue; end if;
      update message x set text = '', version = m.version + 1, deleted_at = at, mentioned_user_ids = '{}', reply_to_id = null,
        changed_position = head + 1 where x.id = m.id;
      delete from message_version v where v.message_id = m.id;
      delete from reaction r where r.message_id = m.id;
      delete from pin p where p.conversation_id = m.conversation_id and p.message_id = m.id;
      delete from mention n where n.conversation_id = m.conversation_id and n.seq = m.seq and n.user_id = any (m.mentioned_user_ids);
    elsif change[i] = 'react' then
      fact_kind := 9;
      if m.deleted_at is not null then statuses[i] := 4; continue; end if;
      if not exists (select 1 from reaction r where r.message_id = m.id and r.emoji = body[i])
         and (select count(distinct r.emoji) from reaction r where r.message_id = m.id) >= emoji_max then statuses[i] := 6; continue; end if;
      insert into reaction(message_id, emoji, user_id, created_at) values (m.id, body[i], actor[i], at) on conflict do nothing;
      get diagnostics changed = row_count;
      if changed = 0 then statuses[i] := 1; continue; end if;
    elsif change[i] in ('pin', 'unpin') then
      fact_kind := 14;
      if not entitled[i] then statuses[i] := 5; continue; end if;
      if m.deleted_at is not null and change[i] = 'pin' then statuses[i] := 4; continue; end if;
      if change[i] = 'unpin' then
        delete from pin p where p.conversation_id = m.conversation_id and p.message_id = m.id;
      elsif (select count(*) from pin p where p.conversation_id = m.conversation_id and p.message_id <> m.id) >= pins_max then
        statuses[i] := 7; continue;
      else
        insert into pin(conversation_id, message_id, pinned_by, pinned_at) values (m.conversation_id, m.id, actor[i], at) on conflict do nothing;
      end if;
      get diagnostics changed = row_count;
      if changed = 0 then statuses[i] := 1; continue; end if;
    else
      fact_kind := 9;
      delete from reaction r where r.message_id = m.id and r.emoji = body[i] and r.user_id = actor[i];
      get diagnostics changed = row_count;
      if changed = 0 then statuses[i] := 1; continue; end if;
    end if;
    head := head + 1; positions[i] := head; conversations[i] := m.conversation_id; statuses[i] := 0;
    insert into fact(position, tag, occurred_at, kind, conversation_id, actor_id, subject_id)
      values (head, batch_tag, at, fact_kind, m.conversation_id, actor[i], m.id);
  end loop;
end $$;


--
-- Name: journal_change_batch(text[], bigint[], bigint[], text[], integer[], boolean[], integer, integer, integer, bigint[], bigint[], smallint[], timestamp with time zone, integer, integer, jsonb); Type: PROCEDURE; Schema: public; Owner: -
--

CREATE PROCEDURE public.journal_change_batch(IN change text[], IN message_id bigint[], IN actor bigint[], IN body text[], IN expected integer[], IN entitled boolean[], IN emoji_max integer, IN pins_max integer, IN text_max integer, INOUT positions bigint[], INOUT conversations bigint[], INOUT statuses smallint[], INOUT at timestamp with time zone, INOUT batch_tag integer, INOUT previous_tag integer, INOUT changed jsonb)
    LANGUAGE plpgsql
    AS $$
begin
  set local synchronous_commit = off;
  select * into positions, conversations, statuses, at, batch_tag, previous_tag
    from journal_change(change, message_id, actor, body, expected, entitled, emoji_max, pins_max);
  select coalesce(jsonb_agg(jsonb_build_object(
           'id', m.id, 'conversationId', m.conversation_id, 'seq', m.seq, 'senderId', m.sender_id,
           'clientMessageId', coalesce(m.client_message_spelling, m.client_message_id::text), 'text', m.text,
           'createdAt', floor(extract(epoch from m.created_at) * 1000)::bigint, 'version', m.version,
           'editedAt', floor(extract(epoch from m.edited_at) * 1000)::bigint,
           'deletedAt', floor(extract(epoch from m.deleted_at) * 1000)::bigint,
           'replyToId', m.reply_to_id, 'changedPosition', m.changed_position, 'mentionedUserIds', m.mentioned_user_ids)), '[]')
    into changed
    from (select distinct c.id from unnest(message_id, positions) as c(id, place) where c.place is not null) c
   cross join lateral (select * from message where id = c.id and length(text) <= text_max limit 1) m;
  commit;
  call journal_flush(null);
end $$;


--
-- Name: journal_flush(pg_lsn); Type: PROCEDURE; Schema: public; Owner: -
--

CREATE PROCEDURE public.journal_flush(IN upto pg_lsn)
    LANGUAGE plpgsql
    AS $$
begin
  if current_setting('synchronous_standby_names') <> '' or pg_current_wal_flush_lsn() < coalesce(upto, pg_current_wal_insert_lsn()) then
    perform pg_logical_emit_message(true, 'parley', '');
    commit;
  end if;
end $$;


--
-- Name: journal_forget(bigint, integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.journal_forget(who bigint, most integer, OUT removed integer) RETURNS integer
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
declare
  convs bigint[]; mentions tid[]; count int;
begin
  convs := array(select distinct a.conversation_id from audience a cross join lateral
    (select 1 from read_marker r where r.conversation_id = a.conversation_id and r.user_id = who limit 1) x
     where a.user_id = who limit most);
  mentions := array(select n.ctid from mention n where n.user_id = who limit most - cardinality(convs));
  removed := 0;
  if cardinality(convs) + cardinality(mentions) = 0 then return; end if;
  perform journal_lock();
  delete from read_marker r where r.user_id = who and r.conversation_id = any (convs);
  get diagnostics removed = row_count;
  delete from mention n where n.ctid = any (mentions) and n.user_id = who;
  get diagnostics count = row_count;
  removed := removed + count;
end $$;


--
-- Name: journal_forget_batch(bigint, integer, integer); Type: PROCEDURE; Schema: public; Owner: -
--

CREATE PROCEDURE public.journal_forget_batch(IN who bigint, IN most integer, INOUT removed integer)
    LANGUAGE plpgsql
    AS $$
begin
  set local synchronous_commit = off;
  select f.removed into removed from journal_forget(who, most) f;
  commit;
  call journal_flush(null);
end $$;


--
-- Name: journal_head(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.journal_head(OUT head bigint, OUT at timestamp with time zone, OUT tag integer) RETURNS record
    LANGUAGE plpgsql
    AS $$
begin
  select f.position, f.occurred_at, f.tag into head, at, tag from fact f order by f.position desc limit 1;
  if not found then
    select j.floor, '-infinity', 0 into head, at, tag from journal j;
  end if;
end $$;


--
-- Name: journal_lock(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.journal_lock() RETURNS void
    LANGUAGE plpgsql
    AS $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'the journal is appended to in READ COMMITTED only' using errcode = '25001';
  end if;
  perform pg_advisory_xact_lock(7021, 1);
  perform set_config('lock_timeout', '200ms', true);   -- under the lock nothing may wait: a wait is a bug, and must not stop the journal
end $$;


--
-- Name: journal_mark(bigint[], bigint[], integer[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.journal_mark(conv bigint[], reader bigint[], seq integer[], OUT positions bigint[], OUT seqs integer[], OUT statuses smallint[], OUT at timestamp with time zone, OUT batch_tag integer, OUT previous_tag integer) RETURNS record
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
declare
  head bigint; prev timestamptz; known int; upto int; at_conv int; facts int := 0;
  f_conv bigint[] := '{}'; f_reader bigint[] := '{}'; f_markers jsonb[] := '{}';
begin
  -- Read the pages before taking the lock: those that are not in memory are then loaded in parallel, and not under the lock.
  perform 1 from unnest(conv, reader) u(c, r) cross join lateral
    (select 1 from read_marker m where m.conversation_id = u.c and m.user_id = u.r limit 1) x;
  perform journal_lock();
  select h.head, h.at, h.tag into head, prev, previous_tag from journal_head() h;
  at := greatest(clock_timestamp(), prev);
  batch_tag := journal_tag();
  for i in 1..cardinality(conv) loop
    positions[i] := null; seqs[i] := null;
    select least(seq[i], h.last_seq) into upto from conversation_head h
     where h.conversation_id = conv[i] and exists (select 1 from current_audience a
       where a.conversation_id = conv[i] and a.user_id = reader[i]);
    if not found then statuses[i] := 3; continue; end if;
    select r.seq into known from read_marker r where r.conversation_id = conv[i] and r.user_id = reader[i];
    known := coalesce(known, 0);
    if upto <= known then statuses[i] := 1; seqs[i] := known; continue; end if;
    insert into read_marker(conversation_id, user_id, seq, moved_at) values (conv[i], reader[i], upto, at)
      on conflict (conversation_id, user_id) do update set seq = excluded.seq, moved_at = excluded.moved_at;
    at_conv := array_position(f_conv, conv[i]);
    if at_conv is null then
      facts := facts + 1; at_conv := facts;
      f_conv[at_conv] := conv[i]; f_reader[at_conv] := reader[i]; f_markers[at_conv] := '[]';
    end if;
    f_markers[at_conv] := f_markers[at_conv] || jsonb_build_object('userId', reader[i], 'seq', upto);
    positions[i] := head + at_conv; seqs[i] := upto; statuses[i] := 0;
  end loop;
  for i in 1..facts loop
    insert into fact(position, tag, occurred_at, kind, conversation_id, actor_id, subject_id, payload)
      values (head + i, batch_tag, at, 10, f_conv[i], f_reader[i], f_reader[i],
        jsonb_build_object('markers', f_markers[i]));
  end loop;
end $$;


--
-- Name: journal_mark_batch(bigint[], bigint[], integer[], bigint[], integer[], smallint[], timestamp with time zone, integer, integer); Type: PROCEDURE; Schema: public; Owner: -
--

CREATE PROCEDURE public.journal_mark_batch(IN conv bigint[], IN reader bigint[], IN seq integer[], INOUT positions bigint[], INOUT seqs integer[], INOUT statuses smallint[], INOUT at timestamp with time zone, INOUT batch_tag integer, INOUT previous_tag integer)
    LANGUAGE plpgsql
    AS $$
begin
  set local synchronous_commit = off;
  select * into positions, seqs, statuses, at, batch_tag, previous_tag from journal_mark(conv, reader, seq);
  commit;
  call journal_flush(null);
end $$;


--
-- Name: journal_new_epoch(uuid); Type: PROCEDURE; Schema: public; Owner: -
--

CREATE PROCEDURE public.journal_new_epoch(INOUT epoch uuid)
    LANGUAGE plpgsql
    AS $$
begin
  perform journal_lock();
  update journal j set epoch = gen_random_uuid() returning j.epoch into epoch;
  commit;
end $$;


--
-- Name: journal_number(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.journal_number() RETURNS trigger
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    AS $$
declare
  head bigint; prev timestamptz; at timestamptz; outsider bigint; since_joining bigint[];
begin
  perform journal_lock();
  select h.head, h.at into head, prev from journal_head() h;
  at := greatest(clock_timestamp(), prev);
  select f.actor_id into outsider
    from jsonb_to_recordset(new.facts) as f(conversation_id bigint, actor_id bigint)
   where f.conversation_id is not null and f.actor_id is not null
     and not exists (select 1 from current_audience a
                      where a.conversation_id = f.conversation_id and a.user_id = f.actor_id)
     and not exists (select 1 from jsonb_to_recordset(new.facts) as j(conversation_id bigint, subject_id bigint, audience_change int)
                      where j.conversation_id = f.conversation_id and j.subject_id = f.actor_id and j.audience_change = 1)
   limit 1;
  if found then
    raise exception 'actor % is not in the audience', outsider using errcode = 'PY403';
  end if;
  since_joining := array(select distinct f.conversation_id
    from jsonb_to_recordset(new.facts) as f(conversation_id bigint, since_joining boolean) where f.since_joining);
  with f as (
    insert into fact(position, tag, occurred_at, kind, conversation_id, user_id, actor_id, subject_id, audience_change, payload)
      select head + o, new.tag, at, kind, conversation_id, user_id, actor_id, subject_id, coalesce(audience_change, 0),
             case when audience_change = 1 and kind = 3 then (
               select jsonb_build_object('seq', upto.seq)
                 || case when r.conversation_id = any(since_joining) then jsonb_build_object('visibleFromSeq', upto.seq) else '{}' end
                 from (select coalesce((select h.last_seq from conversation_head h where h.conversation_id = r.conversation_id), 0)) upto(seq))
             else payload end
        from rows from (jsonb_to_recordset(new.facts) as (
               kind smallint, conversation_id bigint, user_id bigint, actor_id bigint, subject_id bigint,
               audience_change smallint, payload jsonb)) with ordinality
             as r(kind, conversation_id, user_id, actor_id, subject_id, audience_change, payload, o)
      returning *),
  joins as (
    insert into audience(conversation_id, user_id, from_position, visible_from_seq)
      select conversation_id, subject_id, position, coalesce((payload ->> 'visibleFromSeq')::int, 0) from f where audience_change = 1),
  markers as (
    insert into read_marker(conversation_id, user_id, seq, moved_at)
      select f.conversation_id, f.subject_id, h.last_seq, at from f join conversation_head h on h.conversation_id = f.conversation_id
       where f.audience_change = 1 and f.kind = 3
    on conflict (conversation_id, user_id) do update set seq = greatest(read_marker.seq, excluded.seq), moved_at = excluded.moved_at),
  leaves as (
    update audience a set to_position = f.position from f
     where f.audience_change = -1 and a.conversation_id = f.conversation_id and a.user_id = f.subject_id and a.to_position is null
    returning 1)
  insert into conversation_head(conversation_id, last_position)
    select conversation_id, max(position) from f where conversation_id is not null group by 1
    on conflict (conversation_id) do update set last_position = excluded.last_position;
  delete from journal_request where id = new.id;
  perform set_config('synchronous_commit', 'off', true);
  return null;
end $$;


--
-- Name: journal_send(bigint[], bigint[], uuid[], bytea[], text[], bigint[], text[], text[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.journal_send(conv bigint[], sender bigint[], client uuid[], hash bytea[], body text[], reply bigint[], mentions text[], spelling text[], OUT positions bigint[], OUT seqs integer[], OUT statuses smallint[], OUT at timestamp with time zone, OUT batch_tag integer, OUT previous_tag integer) RETURNS record
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
declare
  head bigint; prev timestamptz; n int := cardinality(client); k int := 0; a_seq int[];
  same boolean[]; member boolean[]; answerable boolean[]; mentionable boolean[];
  taken boolean[] := array_fill(false, array[cardinality(client)]); copy_of int[]; key_at int[]; bases jsonb;
  a_pos bigint[]; a_conv bigint[]; a_sender bigint[]; a_client uuid[]; a_hash bytea[]; a_body text[]; a_reply bigint[]; a_mentions text[]; a_spelling text[];
begin
  -- Read the pages before taking the lock: those that are not in memory are then loaded in parallel, and not under the lock.
  perform 1 from unnest(sender, client) u(s, cid) cross join lateral
    (select 1 from message where sender_id = u.s and client_message_id = u.cid limit 1) x;
  perform 1 from unnest(conv, sender) u(c, s) cross join lateral
    (select 1 from current_audience where conversation_id = u.c and user_id = u.s limit 1) x;
  perform journal_lock();
  select h.head, h.at, h.tag into head, prev, previous_tag from journal_head() h;
  at := greatest(clock_timestamp(), prev);
  batch_tag := journal_tag();
  select array_agg(x.id order by i.ord), array_agg(x.seq order by i.ord), array_agg(x.request_hash = i.h order by i.ord),
         array_agg(a.ok is not null order by i.ord), array_agg(i.r is null or coalesce(r.conversation_id = i.c and r.seq > a.visible_from_seq, false) order by i.ord),
         array_agg(i.m = '{}' or not exists (
           select 1 from unnest(i.m::bigint[]) u(id) left join lateral
             (select true as ok from current_audience where conversation_id = i.c and user_id = u.id limit 1) o on true
            where o.ok is null) order by i.ord),
         array_agg(i.copy_of order by i.ord), array_agg(i.key_at order by i.ord)
    into positions, seqs, same, member, answerable, mentionable, copy_of, key_at
    from (select u.*, first_value(u.ord) over (partition by u.s, u.cid, u.h order by u.ord) as copy_of,
                      first_value(u.ord) over (partition by u.s, u.cid order by u.ord) as key_at
            from unnest(conv, sender, client, hash, reply, mentions) with ordinality as u(c, s, cid, h, r, m, ord)) i
    left join lateral (select id, seq, request_hash from message where sender_id = i.s and client_message_id = i.cid limit 1) x on true
    left join lateral (select true as ok, visible_from_seq from current_audience
                        where conversation_id = i.c and user_id = i.s limit 1) a on true
    left join lateral (select conversation_id, seq from message where id = i.r limit 1) r on true;   -- by its key alone (B3)
  for i in 1..n loop
    if positions[i] is not null then statuses[i] := case when same[i] then 1 else 2 end;
    elsif copy_of[i] < i then   -- as if it came alone, after the inputs before it
      statuses[i] := case when statuses[copy_of[i]] = 0 then 1 when taken[key_at[i]] then 2 else statuses[copy_of[i]] end;
    elsif taken[key_at[i]] then statuses[i] := 2;
    elsif not member[i] then statuses[i] := 3;
    elsif not answerable[i] then statuses[i] := 4;
    elsif not mentionable[i] then statuses[i] := 5;
    else
      statuses[i] := 0; taken[key_at[i]] := true; k := k + 1; positions[i] := head + k;
      a_pos[k] := head + k; a_conv[k] := conv[i]; a_sender[k] := sender[i]; a_client[k] := client[i]; a_hash[k] := hash[i];
      a_body[k] := body[i]; a_reply[k] := reply[i]; a_mentions[k] := mentions[i]; a_spelling[k] := spelling[i];
    end if;
  end loop;
  if k > 0 then
    with g as (select c, count(*)::int n, max(p) p from unnest(a_conv, a_pos) u(c, p) group by c),
    h as (update conversation_head h set last_seq = h.last_seq + g.n, last_position = g.p
            from g where h.conversation_id = g.c returning h.conversation_id c, h.last_seq - g.n as base)
    select jsonb_object_agg(h.c::text, h.base) into bases from h;
    insert into fact(position, tag, occurred_at, kind, conversation_id, actor_id, subject_id)
      select p, batch_tag, at, 1, c, s, p from unnest(a_pos, a_conv, a_sender) u(p, c, s);
    with w as (
      insert into message(id, conversation_id, seq, sender_id, client_message_id, request_hash, text, created_at, reply_to_id, mentioned_user_ids,
        client_message_spelling)
        select p, c, (bases ->> c::text)::int + row_number() over (partition by c order by p), s, cid, h, t, at, r, m::bigint[], sp
          from unnest(a_pos, a_conv, a_sender, a_client, a_hash, a_body, a_reply, a_mentions, a_spelling) u(p, c, s, cid, h, t, r, m, sp)
        returning id, conversation_id, seq, sender_id, mentioned_user_ids),
    named as (
      insert into mention(user_id, conversation_id, seq)
        select distinct u.id, w.conversation_id, w.seq from w cross join lateral unnest(w.mentioned_user_ids) u(id)
         where u.id <> w.sender_id)
    select array_agg(seq order by id) into a_seq from w;
    k := 0;
    for i in 1..n loop if statuses[i] = 0 then k := k + 1; seqs[i] := a_seq[k]; end if; end loop;
  end if;
  for i in 1..n loop
    if statuses[i] > 1 then positions[i] := null; seqs[i] := null;
    elsif copy_of[i] < i then positions[i] := positions[copy_of[i]]; seqs[i] := seqs[copy_of[i]]; end if;
  end loop;
end $$;


--
-- Name: journal_send_batch(bigint[], bigint[], uuid[], bytea[], text[], bigint[], text[], text[], bigint[], integer[], smallint[], timestamp with time zone, integer, integer); Type: PROCEDURE; Schema: public; Owner: -
--

CREATE PROCEDURE public.journal_send_batch(IN conv bigint[], IN sender bigint[], IN client uuid[], IN hash bytea[], IN body text[], IN reply bigint[], IN mentions text[], IN spelling text[], INOUT positions bigint[], INOUT seqs integer[], INOUT statuses smallint[], INOUT at timestamp with time zone, INOUT batch_tag integer, INOUT previous_tag integer)
    LANGUAGE plpgsql
    AS $$
begin
  set local synchronous_commit = off;
  select * into positions, seqs, statuses, at, batch_tag, previous_tag from journal_send(conv, sender, client, hash, body, reply, mentions, spelling);
  commit;
  call journal_flush(null);   -- also if all were repeats: the first message may be visible and not yet on disk
end $$;


--
-- Name: journal_tag(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.journal_tag() RETURNS integer
    LANGUAGE sql
    AS $$ select 1 + floor(random() * 2147483646)::int $$;


--
-- Name: journal_trim(interval, integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.journal_trim(keep interval, most integer, OUT removed integer, OUT floor bigint) RETURNS record
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
declare
  up_to bigint;
begin
  if not pg_try_advisory_xact_lock(7021, 3) then return; end if;
  removed := 0;
  select j.floor into floor from journal j;
  select max(f.position) into up_to
    from (select position, occurred_at from fact where position > journal_trim.floor order by position limit most) f
   where f.occurred_at < clock_timestamp() - keep and f.position < (select position from fact order by position desc limit 1);
  if up_to is null then return; end if;
  perform journal_lock();
  delete from fact where position > journal_trim.floor and position <= up_to;
  get diagnostics removed = row_count;
  update journal j set floor = greatest(j.floor, up_to) returning j.floor into floor;
end $$;


--
-- Name: journal_trim_batch(interval, integer, integer, bigint); Type: PROCEDURE; Schema: public; Owner: -
--

CREATE PROCEDURE public.journal_trim_batch(IN keep interval, IN most integer, INOUT removed integer, INOUT floor bigint)
    LANGUAGE plpgsql
    AS $$
declare
  step record;
begin
  set local synchronous_commit = off;
  select * into step from journal_trim(keep, most);
  removed := step.removed; floor := step.floor;
  commit;
end $$;


--
-- Name: message_search_find(bigint, tsquery, text[], bigint, bigint, timestamp with time zone, timestamp with time zone, bigint, bigint, boolean, integer); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.message_search_find(viewer bigint, wanted tsquery, parts text[], only_conversation bigint, only_sender bigint, since timestamp with time zone, until timestamp with time zone, above bigint, below bigint, is_newest_first boolean, most integer) RETURNS SETOF bigint
    LANGUAGE plpgsql STABLE ROWS 50
    SET plan_cache_mode TO 'force_custom_plan'
    SET jit TO 'off'
    SET max_parallel_workers_per_gather TO '0'
    SET work_mem TO '16MB'
    AS $$
declare
  scope bigint[] := array(
    select m.conversation_id from member m
     where m.user_id = viewer and (only_conversation is null or m.conversation_id = only_conversation));
  -- The conversations of which the viewer sees only messages after a seq, and that seq.
  hidden bigint[]; visible_from int[];
  middle bigint := greatest(above, least(below, (select max(message_id) + 1 from message_search)) - 20000);
  is_walk boolean; low bigint; high bigint; found int;
begin
  select coalesce(array_agg(a.conversation_id), '{}'), coalesce(array_agg(a.visible_from_seq), '{}') into hidden, visible_from
    from current_audience a
   where a.user_id = viewer and a.visible_from_seq > 0 and a.conversation_id = any(scope);
  foreach is_walk in array case when is_newest_first then array[true, false] else array[false] end loop
    low := case when is_walk then middle else above end;
    high := case when is_newest_first and not is_walk then middle + 1 else below end;
    return query
      select s.message_id from message_search s
       where s.conversation_id = any(scope)
         and (hidden = '{}' or s.seq > coalesce(
           (select u.visible_from from unnest(hidden, visible_from) u(id, visible_from) where u.id = s.conversation_id), 0))
         and s.terms @@ wanted
         and (only_sender is null or s.sender_id = only_sender)
         and (since is null or s.created_at >= since)
         and (until is null or s.created_at < until)
         and s.message_id > low and s.message_id < high
         and not exists (select 1 from unnest(parts) part where strpos(s.body, part) = 0)
       -- The first key has the order of the primary key, so a plan can walk along it; the second is an expression, so none can.
       order by case when is_walk then s.message_id end desc, case when is_newest_first then -s.message_id else s.message_id end
       limit most;
    get diagnostics found = row_count;
    most := most - found;
    exit when most <= 0 or (is_walk and middle <= above);
  end loop;
end $$;


--
-- Name: username_skeleton(text); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.username_skeleton(username text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$select replace(replace(translate(username, '01i._-', 'oll'), 'w', 'vv'), 'm', 'rn')$$;


--
-- Name: _private_job_queues; Type: TABLE; Schema: graphile_worker; Owner: -
--

CREATE TABLE graphile_worker._private_job_queues (
    id integer NOT NULL,
    queue_name text NOT NULL,
    locked_at timestamp with time zone,
    locked_by text,
    is_available boolean GENERATED ALWAYS AS ((locked_at IS NULL)) STORED NOT NULL,
    CONSTRAINT job_queues_queue_name_check CHECK ((length(queue_name) <= 128))
);


--
-- Name: _private_known_crontabs; Type: TABLE; Schema: graphile_worker; Owner: -
--

CREATE TABLE graphile_worker._private_known_crontabs (
    identifier text NOT NULL,
    known_since timestamp with time zone NOT NULL,
    last_execution timestamp with time zone
);


--
-- Name: _private_tasks; Type: TABLE; Schema: graphile_worker; Owner: -
--

CREATE TABLE graphile_worker._private_tasks (
    id integer NOT NULL,
    identifier text NOT NULL,
    CONSTRAINT tasks_identifier_check CHECK ((length(identifier) <= 128))
);


--
-- Name: job_queues_id_seq; Type: SEQUENCE; Schema: graphile_worker; Owner: -
--

ALTER TABLE graphile_worker._private_job_queues ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME graphile_worker.job_queues_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: jobs; Type: VIEW; Schema: graphile_worker; Owner: -
--

CREATE VIEW graphile_worker.jobs AS
 SELECT jobs.id,
    job_queues.queue_name,
    tasks.identifier AS task_identifier,
    jobs.priority,
    jobs.run_at,
    jobs.attempts,
    jobs.max_attempts,
    jobs.last_error,
    jobs.created_at,
    jobs.updated_at,
    jobs.key,
    jobs.locked_at,
    jobs.locked_by,
    jobs.revision,
    jobs.flags
   FROM ((graphile_worker._private_jobs jobs
     JOIN graphile_worker._private_tasks tasks ON ((tasks.id = jobs.task_id)))
     LEFT JOIN graphile_worker._private_job_queues job_queues ON ((job_queues.id = jobs.job_queue_id)));


--
-- Name: jobs_id_seq1; Type: SEQUENCE; Schema: graphile_worker; Owner: -
--

ALTER TABLE graphile_worker._private_jobs ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME graphile_worker.jobs_id_seq1
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: migrations; Type: TABLE; Schema: graphile_worker; Owner: -
--

CREATE TABLE graphile_worker.migrations (
    id integer NOT NULL,
    ts timestamp with time zone DEFAULT now() NOT NULL,
    breaking boolean DEFAULT false NOT NULL
);


--
-- Name: tasks_id_seq; Type: SEQUENCE; Schema: graphile_worker; Owner: -
--

ALTER TABLE graphile_worker._private_tasks ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME graphile_worker.tasks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: _prisma_migrations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public._prisma_migrations (
    id character varying(36) NOT NULL,
    checksum character varying(64) NOT NULL,
    finished_at timestamp with time zone,
    migration_name character varying(255) NOT NULL,
    logs text,
    rolled_back_at timestamp with time zone,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    applied_steps_count integer DEFAULT 0 NOT NULL
);


--
-- Name: acknowledgement; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.acknowledgement (
    session_id bigint NOT NULL,
    "position" bigint NOT NULL,
    occurred_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');


--
-- Name: audience; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.audience (
    conversation_id bigint NOT NULL,
    user_id bigint NOT NULL,
    from_position bigint NOT NULL,
    to_position bigint,
    visible_from_seq integer DEFAULT 0 NOT NULL
);


--
-- Name: block; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.block (
    id bigint NOT NULL,
    blocker_id bigint NOT NULL,
    blocked_id bigint NOT NULL,
    blocked_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT not_oneself CHECK ((blocker_id <> blocked_id))
);


--
-- Name: block_between; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.block_between AS
 SELECT block.blocker_id AS user_id,
    block.blocked_id AS other_id
   FROM public.block
UNION ALL
 SELECT block.blocked_id AS user_id,
    block.blocker_id AS other_id
   FROM public.block;


--
-- Name: block_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.block ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.block_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: contact; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.contact (
    id bigint NOT NULL,
    low_id bigint NOT NULL,
    high_id bigint NOT NULL,
    requested_by bigint NOT NULL,
    requested_at timestamp with time zone DEFAULT now() NOT NULL,
    accepted_at timestamp with time zone,
    CONSTRAINT lower_id_first CHECK (((low_id < high_id) AND ((requested_by = low_id) OR (requested_by = high_id))))
);


--
-- Name: contact_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.contact ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.contact_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: conversation; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.conversation (
    id bigint NOT NULL,
    kind public.conversation_kind NOT NULL,
    title text,
    description text,
    history_visibility public.history_visibility DEFAULT 'ALL'::public.history_visibility NOT NULL,
    direct_low bigint,
    direct_high bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT direct_has_its_pair CHECK (((kind = 'DIRECT'::public.conversation_kind) = ((direct_low IS NOT NULL) AND (direct_high IS NOT NULL) AND (direct_low < direct_high))))
);


--
-- Name: conversation_head; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.conversation_head (
    conversation_id bigint NOT NULL,
    last_seq integer DEFAULT 0 NOT NULL,
    last_position bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');


--
-- Name: conversation_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.conversation ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.conversation_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: current_audience; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.current_audience AS
 SELECT audience.conversation_id,
    audience.user_id,
    audience.from_position,
    audience.visible_from_seq
   FROM public.audience
  WHERE (audience.to_position IS NULL);


--
-- Name: departure; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.departure (
    conversation_id bigint NOT NULL,
    user_id bigint NOT NULL,
    left_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: fact; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.fact (
    "position" bigint NOT NULL,
    tag integer NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    kind smallint NOT NULL,
    conversation_id bigint,
    user_id bigint,
    actor_id bigint,
    subject_id bigint,
    audience_change smallint DEFAULT 0 NOT NULL,
    payload jsonb,
    CONSTRAINT fact_audience_change_check CHECK ((audience_change = ANY (ARRAY['-1'::integer, 0, 1]))),
    CONSTRAINT fact_position_check CHECK (("position" > 0)),
    CONSTRAINT one_audience CHECK ((num_nonnulls(conversation_id, user_id) <= 1))
);


--
-- Name: function_release; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.function_release (
    one boolean DEFAULT true NOT NULL,
    number integer NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT function_release_one_check CHECK (one)
);


--
-- Name: invite; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.invite (
    id bigint NOT NULL,
    conversation_id bigint NOT NULL,
    token text NOT NULL,
    created_by bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    max_uses integer,
    uses integer DEFAULT 0 NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT no_use_too_many CHECK (((uses >= 0) AND ((max_uses IS NULL) OR (uses <= max_uses))))
);


--
-- Name: invite_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.invite ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.invite_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: journal; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.journal (
    one boolean DEFAULT true NOT NULL,
    epoch uuid DEFAULT gen_random_uuid() NOT NULL,
    floor bigint DEFAULT 0 NOT NULL,
    CONSTRAINT journal_one_check CHECK (one)
);


--
-- Name: journal_request; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.journal_request (
    id bigint NOT NULL,
    tag integer NOT NULL,
    facts jsonb NOT NULL
);


--
-- Name: journal_request_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.journal_request ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.journal_request_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: member; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.member (
    conversation_id bigint NOT NULL,
    user_id bigint NOT NULL,
    role public.member_role DEFAULT 'MEMBER'::public.member_role NOT NULL,
    joined_at timestamp with time zone DEFAULT now() NOT NULL,
    muted_until timestamp with time zone,
    archived_at timestamp with time zone,
    push_level public.push_level
);


--
-- Name: mention; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.mention (
    user_id bigint NOT NULL,
    conversation_id bigint NOT NULL,
    seq integer NOT NULL
);


--
-- Name: message; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.message (
    id bigint NOT NULL,
    conversation_id bigint NOT NULL,
    seq integer NOT NULL,
    sender_id bigint NOT NULL,
    client_message_id uuid NOT NULL,
    client_message_spelling text,
    request_hash bytea NOT NULL,
    text text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    edited_at timestamp with time zone,
    deleted_at timestamp with time zone,
    changed_position bigint,
    reply_to_id bigint,
    mentioned_user_ids bigint[] DEFAULT '{}'::bigint[] NOT NULL
);


--
-- Name: message_search; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.message_search (
    message_id bigint NOT NULL,
    conversation_id bigint NOT NULL,
    seq integer NOT NULL,
    sender_id bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    body text NOT NULL,
    terms tsvector NOT NULL
);
ALTER TABLE ONLY public.message_search ALTER COLUMN terms SET STATISTICS 1000;


--
-- Name: message_search_progress; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.message_search_progress (
    one boolean DEFAULT true NOT NULL,
    "position" bigint NOT NULL,
    tag integer NOT NULL,
    walked bigint,
    seal text DEFAULT ''::text NOT NULL,
    CONSTRAINT message_search_progress_one_check CHECK (one)
);


--
-- Name: message_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.message_version (
    message_id bigint NOT NULL,
    version integer NOT NULL,
    text text NOT NULL,
    written_at timestamp with time zone NOT NULL
);


--
-- Name: pin; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.pin (
    conversation_id bigint NOT NULL,
    message_id bigint NOT NULL,
    pinned_by bigint NOT NULL,
    pinned_at timestamp with time zone NOT NULL
);


--
-- Name: push_delivery; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.push_delivery (
    id bigint NOT NULL,
    kind public.push_kind NOT NULL,
    user_id bigint NOT NULL,
    conversation_id bigint,
    message_id bigint,
    seq integer,
    registration_id bigint,
    session_id bigint,
    outcome public.push_outcome NOT NULL,
    reason text,
    error text,
    attempts integer DEFAULT 0 NOT NULL,
    decided_at timestamp with time zone DEFAULT now() NOT NULL,
    sent_at timestamp with time zone,
    retry_at timestamp with time zone,
    cleared_at timestamp with time zone
);


--
-- Name: push_delivery_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.push_delivery ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.push_delivery_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: push_failure; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.push_failure AS
 SELECT d.id,
    d.kind,
    d.user_id,
    d.session_id,
    d.message_id,
    d.reason,
    d.error,
    d.attempts,
    d.decided_at
   FROM public.push_delivery d
  WHERE ((d.outcome = 'FAILED'::public.push_outcome) AND (d.reason <> 'GONE'::text));


--
-- Name: push_progress; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.push_progress (
    one boolean DEFAULT true NOT NULL,
    "position" bigint NOT NULL,
    tag integer NOT NULL,
    CONSTRAINT push_progress_one_check CHECK (one)
);


--
-- Name: push_registration; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.push_registration (
    id bigint NOT NULL,
    session_id bigint NOT NULL,
    user_id bigint NOT NULL,
    provider public.push_provider NOT NULL,
    platform text DEFAULT ''::text NOT NULL,
    endpoint text NOT NULL,
    p256dh text DEFAULT ''::text NOT NULL,
    auth text DEFAULT ''::text NOT NULL,
    registered_at timestamp with time zone DEFAULT now() NOT NULL,
    sent_at timestamp with time zone,
    failing_since timestamp with time zone,
    failures integer DEFAULT 0 NOT NULL,
    retry_at timestamp with time zone,
    CONSTRAINT push_registration_endpoint_check CHECK ((length(endpoint) <= 2000))
);


--
-- Name: push_registration_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.push_registration ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.push_registration_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: push_settings; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.push_settings (
    user_id bigint NOT NULL,
    level public.push_level DEFAULT 'ALL'::public.push_level NOT NULL,
    shows_text boolean DEFAULT true NOT NULL,
    time_zone text,
    quiet_hours jsonb DEFAULT '[]'::jsonb NOT NULL,
    quiet_except_direct boolean DEFAULT false NOT NULL,
    quiet_except_mentions boolean DEFAULT false NOT NULL
);


--
-- Name: push_worker; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.push_worker (
    id text NOT NULL,
    seen_at timestamp with time zone NOT NULL
);


--
-- Name: reaction; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.reaction (
    message_id bigint NOT NULL,
    emoji text NOT NULL,
    user_id bigint NOT NULL,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: read_marker; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.read_marker (
    conversation_id bigint NOT NULL,
    user_id bigint NOT NULL,
    seq integer NOT NULL,
    moved_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');


--
-- Name: session; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.session (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    device_name text NOT NULL,
    device_kind public.device_kind DEFAULT 'OTHER'::public.device_kind NOT NULL,
    generation integer DEFAULT 1 NOT NULL,
    refreshed_at timestamp with time zone,
    external_key text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone DEFAULT now() NOT NULL,
    last_active_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone
);


--
-- Name: session_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.session ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.session_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: token_keys; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.token_keys (
    one boolean DEFAULT true NOT NULL,
    key_ids text[] NOT NULL,
    noted_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT token_keys_one_check CHECK (one)
);


--
-- Name: user; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public."user" (
    id bigint NOT NULL,
    username text NOT NULL,
    display_name text NOT NULL,
    search_name text DEFAULT ''::text NOT NULL,
    search_fold integer DEFAULT 0 NOT NULL,
    bio text DEFAULT ''::text NOT NULL,
    password_hash text,
    issuer text,
    subject text,
    message_policy public.message_policy DEFAULT 'ANYONE'::public.message_policy NOT NULL,
    presence_mode public.presence_mode DEFAULT 'AUTOMATIC'::public.presence_mode NOT NULL,
    presence_mode_at timestamp with time zone DEFAULT now() NOT NULL,
    last_active_visibility public.last_active_visibility DEFAULT 'EVERYONE'::public.last_active_visibility NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    skeleton text GENERATED ALWAYS AS (public.username_skeleton(username)) STORED,
    search_text text GENERATED ALWAYS AS (((username || '
'::text) || search_name)) STORED,
    CONSTRAINT one_way_in CHECK (((issuer IS NULL) = (subject IS NULL)))
);


--
-- Name: user_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public."user" ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.user_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Data for Name: _private_job_queues; Type: TABLE DATA; Schema: graphile_worker; Owner: -
--



--
-- Data for Name: _private_jobs; Type: TABLE DATA; Schema: graphile_worker; Owner: -
--



--
-- Data for Name: _private_known_crontabs; Type: TABLE DATA; Schema: graphile_worker; Owner: -
--



--
-- Data for Name: _private_tasks; Type: TABLE DATA; Schema: graphile_worker; Owner: -
--

INSERT INTO graphile_worker._private_tasks OVERRIDING SYSTEM VALUE VALUES (1, 'push_notify');
INSERT INTO graphile_worker._private_tasks OVERRIDING SYSTEM VALUE VALUES (2, 'push_deliver');
INSERT INTO graphile_worker._private_tasks OVERRIDING SYSTEM VALUE VALUES (3, 'push_clear');


--
-- Data for Name: migrations; Type: TABLE DATA; Schema: graphile_worker; Owner: -
--

INSERT INTO graphile_worker.migrations VALUES (1, '2026-11-29 10:01:03.726358+00', true);
INSERT INTO graphile_worker.migrations VALUES (2, '2026-11-29 10:01:03.745312+00', false);
INSERT INTO graphile_worker.migrations VALUES (3, '2026-11-29 10:01:03.752922+00', true);
INSERT INTO graphile_worker.migrations VALUES (4, '2026-11-29 10:01:03.757516+00', false);
INSERT INTO graphile_worker.migrations VALUES (5, '2026-11-29 10:01:03.761544+00', false);
INSERT INTO graphile_worker.migrations VALUES (6, '2026-11-29 10:01:03.766121+00', false);
INSERT INTO graphile_worker.migrations VALUES (7, '2026-11-29 10:01:03.772318+00', false);
INSERT INTO graphile_worker.migrations VALUES (8, '2026-11-29 10:01:03.776677+00', false);
INSERT INTO graphile_worker.migrations VALUES (9, '2026-11-29 10:01:03.781261+00', false);
INSERT INTO graphile_worker.migrations VALUES (10, '2026-11-29 10:01:03.783938+00', false);
INSERT INTO graphile_worker.migrations VALUES (11, '2026-11-29 10:01:03.785685+00', true);
INSERT INTO graphile_worker.migrations VALUES (12, '2026-11-29 10:01:03.814539+00', false);
INSERT INTO graphile_worker.migrations VALUES (13, '2026-11-29 10:01:03.817205+00', true);
INSERT INTO graphile_worker.migrations VALUES (14, '2026-11-29 10:01:03.820818+00', true);
INSERT INTO graphile_worker.migrations VALUES (15, '2026-11-29 10:01:03.823497+00', false);
INSERT INTO graphile_worker.migrations VALUES (16, '2026-11-29 10:01:03.825528+00', true);
INSERT INTO graphile_worker.migrations VALUES (17, '2026-11-29 10:01:03.830951+00', false);
INSERT INTO graphile_worker.migrations VALUES (18, '2026-11-29 10:01:03.835486+00', false);
INSERT INTO graphile_worker.migrations VALUES (19, '2026-11-29 10:01:03.838633+00', true);


--
-- Data for Name: _prisma_migrations; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public._prisma_migrations VALUES ('8de909e8-9638-459b-8376-4363398cf61e', '798d905baaa2f53ff7c715a16fa9c07803f065001420b87861b4ab7a14ca68d1', '2026-11-29 10:01:03.648268+00', '20261129000000_init', NULL, NULL, '2026-11-29 10:01:03.564851+00', 1);


--
-- Data for Name: acknowledgement; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: audience; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.audience VALUES (1, 3, 5, NULL, 0);
INSERT INTO public.audience VALUES (1, 1, 6, NULL, 0);
INSERT INTO public.audience VALUES (1, 2, 7, NULL, 0);
INSERT INTO public.audience VALUES (1, 4, 8, NULL, 0);
INSERT INTO public.audience VALUES (2, 2, 19, NULL, 0);
INSERT INTO public.audience VALUES (2, 1, 20, NULL, 0);
INSERT INTO public.audience VALUES (3, 1, 30, NULL, 0);
INSERT INTO public.audience VALUES (3, 2, 31, NULL, 0);
INSERT INTO public.audience VALUES (3, 3, 32, 40, 0);
INSERT INTO public.audience VALUES (3, 4, 45, NULL, 0);


--
-- Data for Name: block; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.block VALUES (1, 3, 4, '2026-11-29 10:01:06.682+00');


--
-- Data for Name: contact; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.contact VALUES (1, 1, 2, 1, '2026-11-29 10:01:06.633+00', '2026-11-29 10:01:06.657+00');


--
-- Data for Name: conversation; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.conversation VALUES (1, 'GROUP', 'Saturday hike', 'To the lake and back', 'ALL', NULL, NULL, '2026-11-29 10:01:05.347+00');
INSERT INTO public.conversation VALUES (2, 'DIRECT', NULL, NULL, 'ALL', 1, 2, '2026-11-29 10:01:05.643+00');
INSERT INTO public.conversation VALUES (3, 'GROUP', 'Recorded', NULL, 'ALL', NULL, NULL, '2026-11-29 10:01:05.982+00');


--
-- Data for Name: conversation_head; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.conversation_head VALUES (1, 6, 16);
INSERT INTO public.conversation_head VALUES (2, 3, 24);
INSERT INTO public.conversation_head VALUES (3, 3, 59);


--
-- Data for Name: departure; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: fact; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.fact VALUES (1, 2069837397, '2026-11-29 10:01:05.55466+00', 2, NULL, 3, 3, 1, 0, NULL);
INSERT INTO public.fact VALUES (2, 2069837397, '2026-11-29 10:01:05.55466+00', 2, NULL, 1, 3, 1, 0, NULL);
INSERT INTO public.fact VALUES (3, 2069837397, '2026-11-29 10:01:05.55466+00', 2, NULL, 2, 3, 1, 0, NULL);
INSERT INTO public.fact VALUES (4, 2069837397, '2026-11-29 10:01:05.55466+00', 2, NULL, 4, 3, 1, 0, NULL);
INSERT INTO public.fact VALUES (5, 2069837397, '2026-11-29 10:01:05.55466+00', 3, 1, NULL, 3, 3, 1, '{"seq": 0}');
INSERT INTO public.fact VALUES (6, 2069837397, '2026-11-29 10:01:05.55466+00', 3, 1, NULL, 3, 1, 1, '{"seq": 0}');
INSERT INTO public.fact VALUES (7, 2069837397, '2026-11-29 10:01:05.55466+00', 3, 1, NULL, 3, 2, 1, '{"seq": 0}');
INSERT INTO public.fact VALUES (8, 2069837397, '2026-11-29 10:01:05.55466+00', 3, 1, NULL, 3, 4, 1, '{"seq": 0}');
INSERT INTO public.fact VALUES (9, 1898484670, '2026-11-29 10:01:05.575834+00', 1, 1, NULL, 3, 9, 0, NULL);
INSERT INTO public.fact VALUES (10, 1540787364, '2026-11-29 10:01:05.59225+00', 1, 1, NULL, 4, 10, 0, NULL);
INSERT INTO public.fact VALUES (11, 1076074553, '2026-11-29 10:01:05.594821+00', 1, 1, NULL, 1, 11, 0, NULL);
INSERT INTO public.fact VALUES (12, 1625475616, '2026-11-29 10:01:05.597339+00', 1, 1, NULL, 3, 12, 0, NULL);
INSERT INTO public.fact VALUES (13, 1120850926, '2026-11-29 10:01:05.6004+00', 9, 1, NULL, 1, 12, 0, NULL);
INSERT INTO public.fact VALUES (14, 2122011094, '2026-11-29 10:01:05.605558+00', 9, 1, NULL, 4, 12, 0, NULL);
INSERT INTO public.fact VALUES (15, 1128458905, '2026-11-29 10:01:05.607745+00', 1, 1, NULL, 2, 15, 0, NULL);
INSERT INTO public.fact VALUES (16, 1094661869, '2026-11-29 10:01:05.611364+00', 1, 1, NULL, 4, 16, 0, NULL);
INSERT INTO public.fact VALUES (17, 1612133867, '2026-11-29 10:01:05.666622+00', 2, NULL, 2, 2, 2, 0, NULL);
INSERT INTO public.fact VALUES (18, 1612133867, '2026-11-29 10:01:05.666622+00', 2, NULL, 1, 2, 2, 0, NULL);
INSERT INTO public.fact VALUES (19, 1612133867, '2026-11-29 10:01:05.666622+00', 3, 2, NULL, 2, 2, 1, '{"seq": 0}');
INSERT INTO public.fact VALUES (20, 1612133867, '2026-11-29 10:01:05.666622+00', 3, 2, NULL, 2, 1, 1, '{"seq": 0}');
INSERT INTO public.fact VALUES (21, 553126359, '2026-11-29 10:01:05.679365+00', 1, 2, NULL, 2, 21, 0, NULL);
INSERT INTO public.fact VALUES (22, 709842525, '2026-11-29 10:01:05.68196+00', 1, 2, NULL, 1, 22, 0, NULL);
INSERT INTO public.fact VALUES (23, 306538084, '2026-11-29 10:01:05.683962+00', 9, 2, NULL, 2, 22, 0, NULL);
INSERT INTO public.fact VALUES (24, 1265592764, '2026-11-29 10:01:05.686162+00', 1, 2, NULL, 2, 24, 0, NULL);
INSERT INTO public.fact VALUES (25, 1390194913, '2026-11-29 10:01:05.699706+00', 10, 1, NULL, 1, 1, 0, '{"markers": [{"seq": 4, "userId": 1}, {"seq": 6, "userId": 2}, {"seq": 6, "userId": 3}, {"seq": 6, "userId": 4}]}');
INSERT INTO public.fact VALUES (26, 1170347176, '2026-11-29 10:01:05.70924+00', 10, 2, NULL, 1, 1, 0, '{"markers": [{"seq": 2, "userId": 1}, {"seq": 3, "userId": 2}]}');
INSERT INTO public.fact VALUES (27, 1758597861, '2026-11-29 10:01:06.00661+00', 2, NULL, 1, 1, 3, 0, NULL);
INSERT INTO public.fact VALUES (28, 1758597861, '2026-11-29 10:01:06.00661+00', 2, NULL, 2, 1, 3, 0, NULL);
INSERT INTO public.fact VALUES (29, 1758597861, '2026-11-29 10:01:06.00661+00', 2, NULL, 3, 1, 3, 0, NULL);
INSERT INTO public.fact VALUES (30, 1758597861, '2026-11-29 10:01:06.00661+00', 3, 3, NULL, 1, 1, 1, '{"seq": 0}');
INSERT INTO public.fact VALUES (31, 1758597861, '2026-11-29 10:01:06.00661+00', 3, 3, NULL, 1, 2, 1, '{"seq": 0}');
INSERT INTO public.fact VALUES (32, 1758597861, '2026-11-29 10:01:06.00661+00', 3, 3, NULL, 1, 3, 1, '{"seq": 0}');
INSERT INTO public.fact VALUES (33, 329534701, '2026-11-29 10:01:06.037829+00', 1, 3, NULL, 1, 33, 0, NULL);
INSERT INTO public.fact VALUES (34, 147438405, '2026-11-29 10:01:06.065744+00', 1, 3, NULL, 2, 34, 0, NULL);
INSERT INTO public.fact VALUES (35, 1136384717, '2026-11-29 10:01:06.080486+00', 7, 3, NULL, 1, 33, 0, NULL);
INSERT INTO public.fact VALUES (36, 1924118182, '2026-11-29 10:01:06.233116+00', 8, 3, NULL, 2, 34, 0, NULL);
INSERT INTO public.fact VALUES (37, 53685092, '2026-11-29 10:01:06.271925+00', 9, 3, NULL, 3, 33, 0, NULL);
INSERT INTO public.fact VALUES (38, 568913130, '2026-11-29 10:01:06.326145+00', 14, 3, NULL, 1, 33, 0, NULL);
INSERT INTO public.fact VALUES (39, 1440481629, '2026-11-29 10:01:06.348102+00', 10, 3, NULL, 2, 2, 0, '{"markers": [{"seq": 1, "userId": 2}]}');
INSERT INTO public.fact VALUES (40, 1653251846, '2026-11-29 10:01:06.421352+00', 4, 3, NULL, 1, 3, -1, NULL);
INSERT INTO public.fact VALUES (41, 835791389, '2026-11-29 10:01:06.448611+00', 5, 3, NULL, 1, 2, 0, NULL);
INSERT INTO public.fact VALUES (42, 479464727, '2026-11-29 10:01:06.48073+00', 13, NULL, 1, 2, 3, 0, NULL);
INSERT INTO public.fact VALUES (43, 479464727, '2026-11-29 10:01:06.48073+00', 13, NULL, 2, 2, 3, 0, NULL);
INSERT INTO public.fact VALUES (44, 997306634, '2026-11-29 10:01:06.537201+00', 2, NULL, 4, 4, 3, 0, NULL);
INSERT INTO public.fact VALUES (45, 997306634, '2026-11-29 10:01:06.537201+00', 3, 3, NULL, 4, 4, 1, '{"seq": 2}');
INSERT INTO public.fact VALUES (46, 997306634, '2026-11-29 10:01:06.537201+00', 13, NULL, 1, 4, 3, 0, NULL);
INSERT INTO public.fact VALUES (47, 997306634, '2026-11-29 10:01:06.537201+00', 13, NULL, 2, 4, 3, 0, NULL);
INSERT INTO public.fact VALUES (48, 1170939874, '2026-11-29 10:01:06.57+00', 12, NULL, 1, 1, 3, 0, NULL);
INSERT INTO public.fact VALUES (49, 1400329926, '2026-11-29 10:01:06.607904+00', 20, NULL, 1, 1, 1, 0, NULL);
INSERT INTO public.fact VALUES (50, 1400329926, '2026-11-29 10:01:06.607904+00', 20, NULL, 2, 1, 1, 0, NULL);
INSERT INTO public.fact VALUES (51, 1400329926, '2026-11-29 10:01:06.607904+00', 20, NULL, 3, 1, 1, 0, NULL);
INSERT INTO public.fact VALUES (52, 1400329926, '2026-11-29 10:01:06.607904+00', 20, NULL, 4, 1, 1, 0, NULL);
INSERT INTO public.fact VALUES (53, 1674209933, '2026-11-29 10:01:06.636958+00', 21, NULL, 1, NULL, 2, 0, NULL);
INSERT INTO public.fact VALUES (54, 1674209933, '2026-11-29 10:01:06.636958+00', 21, NULL, 2, NULL, 1, 0, NULL);
INSERT INTO public.fact VALUES (55, 643358149, '2026-11-29 10:01:06.660844+00', 21, NULL, 2, NULL, 1, 0, NULL);
INSERT INTO public.fact VALUES (56, 643358149, '2026-11-29 10:01:06.660844+00', 21, NULL, 1, NULL, 2, 0, NULL);
INSERT INTO public.fact VALUES (57, 1242895186, '2026-11-29 10:01:06.690221+00', 22, NULL, 3, NULL, 4, 0, NULL);
INSERT INTO public.fact VALUES (58, 1806255998, '2026-11-29 10:01:06.73398+00', 17, NULL, 1, 1, 5, 0, NULL);
INSERT INTO public.fact VALUES (59, 648349932, '2026-11-29 10:01:06.775788+00', 1, 3, NULL, 2, 59, 0, NULL);


--
-- Data for Name: function_release; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.function_release VALUES (true, 1, '357004f283ee6d783e2a13a53fb15d5dea5d1d4c1b71443a1594f76ce11651d6', '2026-11-29 10:01:03.661483+00');


--
-- Data for Name: invite; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.invite VALUES (1, 3, 'pYWH5GvzNSO2GnWY-OCHq58l8_fnK0Pv', 2, '2026-11-29 10:01:06.475+00', NULL, 5, 1, NULL);


--
-- Data for Name: journal; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.journal VALUES (true, 'c9bfd527-6f4a-462e-8e8d-a1b97b41fa02', 0);


--
-- Data for Name: journal_request; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: member; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.member VALUES (1, 3, 'OWNER', '2026-11-29 10:01:05.357+00', NULL, NULL, NULL);
INSERT INTO public.member VALUES (1, 1, 'MEMBER', '2026-11-29 10:01:05.357+00', NULL, NULL, NULL);
INSERT INTO public.member VALUES (1, 2, 'MEMBER', '2026-11-29 10:01:05.357+00', NULL, NULL, NULL);
INSERT INTO public.member VALUES (1, 4, 'MEMBER', '2026-11-29 10:01:05.357+00', NULL, NULL, NULL);
INSERT INTO public.member VALUES (2, 2, 'MEMBER', '2026-11-29 10:01:05.648+00', NULL, NULL, NULL);
INSERT INTO public.member VALUES (2, 1, 'MEMBER', '2026-11-29 10:01:05.648+00', NULL, NULL, NULL);
INSERT INTO public.member VALUES (3, 2, 'ADMIN', '2026-11-29 10:01:05.988+00', NULL, NULL, NULL);
INSERT INTO public.member VALUES (3, 4, 'MEMBER', '2026-11-29 10:01:06.524+00', NULL, NULL, NULL);
INSERT INTO public.member VALUES (3, 1, 'OWNER', '2026-11-29 10:01:05.988+00', '2999-01-01 00:00:00+00', NULL, NULL);


--
-- Data for Name: mention; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.mention VALUES (1, 1, 5);


--
-- Data for Name: message; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.message VALUES (9, 1, 1, 3, '5eed0000-0000-4000-8000-000000000001', NULL, '\x9c8fbc94e42f47219eb6857c27a30bd650028ac2171d20fb1aad2cabc5cf17be', 'Shall we walk up to the lake on Saturday? I would say we meet at 9 at the station.', '2026-11-29 10:01:05.575834+00', 1, NULL, NULL, NULL, NULL, '{}');
INSERT INTO public.message VALUES (10, 1, 2, 4, '5eed0000-0000-4000-8000-000000000002', NULL, '\x14c003edf941c4b4ae39d015725af1c2558868e30e156238a49e9dee9365a503', 'Can we make it 10? My train comes in at 9:40.', '2026-11-29 10:01:05.59225+00', 1, NULL, NULL, NULL, 9, '{}');
INSERT INTO public.message VALUES (11, 1, 3, 1, '5eed0000-0000-4000-8000-000000000003', NULL, '\xb39ba8fa37ad427a555bdf2d45e665e1228df3ca7b00833782cae7aa851ca93a', '10 is fine with me, too.', '2026-11-29 10:01:05.594821+00', 1, NULL, NULL, NULL, 10, '{}');
INSERT INTO public.message VALUES (12, 1, 4, 3, '5eed0000-0000-4000-8000-000000000004', NULL, '\x8bcf684c9359dab050260d338278ad3bc9d9dc2f79f01adb0855e35e5f2475cf', 'Then 10 it is. I bring coffee ☕', '2026-11-29 10:01:05.597339+00', 1, NULL, NULL, NULL, 11, '{}');
INSERT INTO public.message VALUES (15, 1, 5, 2, '5eed0000-0000-4000-8000-000000000005', NULL, '\x606631012a3d22354e676802b01918cc11b5255fa819900d99bf0a1571e6959e', '@alice, do you still have the map from last time?', '2026-11-29 10:01:05.607745+00', 1, NULL, NULL, NULL, NULL, '{1}');
INSERT INTO public.message VALUES (16, 1, 6, 4, '5eed0000-0000-4000-8000-000000000006', NULL, '\x64bc166da1f98864436f4822d039ce3a29bf837c9f20f55c44f8450c8c2013e7', 'If not, I can print one.', '2026-11-29 10:01:05.611364+00', 1, NULL, NULL, NULL, 15, '{}');
INSERT INTO public.message VALUES (21, 2, 1, 2, '5eed0000-0000-4000-8000-000000000007', NULL, '\x0d9a8b027cd68190f7364543d7282adc31a282a1b4a2ebf6a115752d74478397', 'Hi Alice! Are you coming on Saturday?', '2026-11-29 10:01:05.679365+00', 1, NULL, NULL, NULL, NULL, '{}');
INSERT INTO public.message VALUES (22, 2, 2, 1, '5eed0000-0000-4000-8000-000000000008', NULL, '\xfe3f408bb8c16b97972a86b3170975115eb8c43cb0b6654cb2b51bd4a1a07b8e', 'Of course. What should I bring?', '2026-11-29 10:01:05.68196+00', 1, NULL, NULL, NULL, 21, '{}');
INSERT INTO public.message VALUES (24, 2, 3, 2, '5eed0000-0000-4000-8000-000000000009', NULL, '\x7872fe014ae0e5f73344205fd52a05f60c6d03cd435ab93de4ad3da89132efc4', 'Good shoes, and your camera 📷', '2026-11-29 10:01:05.686162+00', 1, NULL, NULL, NULL, 22, '{}');
INSERT INTO public.message VALUES (33, 3, 1, 1, '795eb0f5-c154-4339-a965-612f409c4d99', NULL, '\x528f7444aff3e45f8e493fa82c495ba1e7e9c5ad5a23eba26f66897ae9cfab6d', 'a second text', '2026-11-29 10:01:06.037829+00', 2, '2026-11-29 10:01:06.080486+00', NULL, 35, NULL, '{}');
INSERT INTO public.message VALUES (34, 3, 2, 2, 'b4ec6789-7bc1-4dfc-87d6-324aca7d6cc9', NULL, '\x5ce2da03f026777575c6d09ac6bf3b24ee5324f0a352ab7751479d0a86e47566', '', '2026-11-29 10:01:06.065744+00', 2, NULL, '2026-11-29 10:01:06.233116+00', 36, NULL, '{}');
INSERT INTO public.message VALUES (59, 3, 3, 2, 'dbcc9b06-3a74-47c0-8403-c0bb901bfa9d', NULL, '\x3cdaaecb47ac95e762c74b5282bd454fc682f22155dfab82d564ec43363bc64b', 'sent while Alice was away', '2026-11-29 10:01:06.775788+00', 1, NULL, NULL, NULL, NULL, '{}');


--
-- Data for Name: message_search; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.message_search VALUES (9, 1, 1, 3, '2026-11-29 10:01:05.575+00', 'shall we walk up to the lake on saturday? i would say we meet at 9 at the station.', '''.'' ''9'' ''?'' ''at'' ''i'' ''lake'' ''meet'' ''on'' ''saturday'' ''say'' ''shall'' ''station'' ''the'' ''to'' ''up'' ''walk'' ''we'' ''would''');
INSERT INTO public.message_search VALUES (10, 1, 2, 4, '2026-11-29 10:01:05.592+00', 'can we make it 10? my train comes in at 9:40.', '''.'' ''10'' ''40'' ''9'' '':'' ''?'' ''at'' ''can'' ''comes'' ''in'' ''it'' ''make'' ''my'' ''train'' ''we''');
INSERT INTO public.message_search VALUES (11, 1, 3, 1, '2026-11-29 10:01:05.594+00', '10 is fine with me, too.', ''','' ''.'' ''10'' ''fine'' ''is'' ''me'' ''too'' ''with''');
INSERT INTO public.message_search VALUES (12, 1, 4, 3, '2026-11-29 10:01:05.597+00', 'then 10 it is. i bring coffee ☕', '''.'' ''10'' ''bring'' ''coffee'' ''i'' ''is'' ''it'' ''then'' ''☕''');
INSERT INTO public.message_search VALUES (15, 1, 5, 2, '2026-11-29 10:01:05.607+00', '@alice, do you still have the map from last time?', ''','' ''?'' ''@'' ''alice'' ''do'' ''from'' ''have'' ''last'' ''map'' ''still'' ''the'' ''time'' ''you''');
INSERT INTO public.message_search VALUES (16, 1, 6, 4, '2026-11-29 10:01:05.611+00', 'if not, i can print one.', ''','' ''.'' ''can'' ''i'' ''if'' ''not'' ''one'' ''print''');
INSERT INTO public.message_search VALUES (21, 2, 1, 2, '2026-11-29 10:01:05.679+00', 'hi alice! are you coming on saturday?', '''!'' ''?'' ''alice'' ''are'' ''coming'' ''hi'' ''on'' ''saturday'' ''you''');
INSERT INTO public.message_search VALUES (22, 2, 2, 1, '2026-11-29 10:01:05.681+00', 'of course. what should i bring?', '''.'' ''?'' ''bring'' ''course'' ''i'' ''of'' ''should'' ''what''');
INSERT INTO public.message_search VALUES (24, 2, 3, 2, '2026-11-29 10:01:05.686+00', 'good shoes, and your camera 📷', ''','' ''and'' ''camera'' ''good'' ''shoes'' ''your'' ''📷''');
INSERT INTO public.message_search VALUES (33, 3, 1, 1, '2026-11-29 10:01:06.037+00', 'a second text', '''a'' ''second'' ''text''');
INSERT INTO public.message_search VALUES (59, 3, 3, 2, '2026-11-29 10:01:06.775+00', 'sent while alice was away', '''alice'' ''away'' ''sent'' ''was'' ''while''');


--
-- Data for Name: message_search_progress; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.message_search_progress VALUES (true, 59, 648349932, NULL, '2:59:whole');


--
-- Data for Name: message_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.message_version VALUES (33, 1, 'a first text', '2026-11-29 10:01:06.037829+00');


--
-- Data for Name: pin; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.pin VALUES (3, 33, 1, '2026-11-29 10:01:06.326145+00');


--
-- Data for Name: push_delivery; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.push_delivery VALUES (1, 'MESSAGE', 1, 3, 59, 3, NULL, NULL, 'SKIPPED', 'MUTED', NULL, 0, '2026-11-29 10:01:06.850705+00', NULL, NULL, NULL);


--
-- Data for Name: push_progress; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.push_progress VALUES (true, 59, 648349932);


--
-- Data for Name: push_registration; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.push_registration VALUES (1, 5, 1, 'WEB_PUSH', '', 'http://127.0.0.1:9/recorded', 'BIoxhdZWm6piFGgVnaL8zii1-ZZMWu7wReF1lJogUgV3sjKIo249wCeI8yTFmdFFfz2f5o14E4tR_Czl2iIEEGI', 'j17DFUBvfhAVACQZbY6ySg', '2026-11-29 10:01:06.725+00', NULL, NULL, 0, NULL);


--
-- Data for Name: push_settings; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: push_worker; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.push_worker VALUES ('pool-2f6459c6cc2aba7fc2', '2026-11-29 10:01:05.973879+00');


--
-- Data for Name: reaction; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.reaction VALUES (12, '🎉', 1, '2026-11-29 10:01:05.6004+00');
INSERT INTO public.reaction VALUES (12, '👍', 4, '2026-11-29 10:01:05.605558+00');
INSERT INTO public.reaction VALUES (22, '❤️', 2, '2026-11-29 10:01:05.683962+00');
INSERT INTO public.reaction VALUES (33, '🎉', 3, '2026-11-29 10:01:06.271925+00');


--
-- Data for Name: read_marker; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.read_marker VALUES (1, 1, 4, '2026-11-29 10:01:05.699706+00');
INSERT INTO public.read_marker VALUES (1, 2, 6, '2026-11-29 10:01:05.699706+00');
INSERT INTO public.read_marker VALUES (1, 3, 6, '2026-11-29 10:01:05.699706+00');
INSERT INTO public.read_marker VALUES (1, 4, 6, '2026-11-29 10:01:05.699706+00');
INSERT INTO public.read_marker VALUES (2, 1, 2, '2026-11-29 10:01:05.70924+00');
INSERT INTO public.read_marker VALUES (2, 2, 3, '2026-11-29 10:01:05.70924+00');
INSERT INTO public.read_marker VALUES (3, 2, 1, '2026-11-29 10:01:06.348102+00');
INSERT INTO public.read_marker VALUES (3, 4, 2, '2026-11-29 10:01:06.537201+00');


--
-- Data for Name: session; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.session VALUES (1, 1, 'Seed', 'OTHER', 1, NULL, NULL, '2026-11-29 10:01:04.99+00', '2026-11-29 10:01:04.99+00', '2026-11-29 10:01:04.99+00', '2026-12-29 10:01:04.895+00', NULL);
INSERT INTO public.session VALUES (2, 2, 'Seed', 'OTHER', 1, NULL, NULL, '2026-11-29 10:01:05.084+00', '2026-11-29 10:01:05.084+00', '2026-11-29 10:01:05.084+00', '2026-12-29 10:01:05.077+00', NULL);
INSERT INTO public.session VALUES (3, 3, 'Seed', 'OTHER', 1, NULL, NULL, '2026-11-29 10:01:05.145+00', '2026-11-29 10:01:05.145+00', '2026-11-29 10:01:05.145+00', '2026-12-29 10:01:05.142+00', NULL);
INSERT INTO public.session VALUES (4, 4, 'Seed', 'OTHER', 1, NULL, NULL, '2026-11-29 10:01:05.263+00', '2026-11-29 10:01:05.263+00', '2026-11-29 10:01:05.263+00', '2026-12-29 10:01:05.258+00', NULL);
INSERT INTO public.session VALUES (6, 2, 'Phone', 'OTHER', 1, NULL, NULL, '2026-11-29 10:01:05.869+00', '2026-11-29 10:01:06.962+00', '2026-11-29 10:01:06.962+00', '2026-12-29 10:01:05.866+00', NULL);
INSERT INTO public.session VALUES (7, 3, 'Phone', 'OTHER', 1, NULL, NULL, '2026-11-29 10:01:05.911+00', '2026-11-29 10:01:06.962+00', '2026-11-29 10:01:06.962+00', '2026-12-29 10:01:05.905+00', NULL);
INSERT INTO public.session VALUES (8, 4, 'Phone', 'OTHER', 1, NULL, NULL, '2026-11-29 10:01:05.949+00', '2026-11-29 10:01:06.962+00', '2026-11-29 10:01:06.962+00', '2026-12-29 10:01:05.945+00', NULL);
INSERT INTO public.session VALUES (5, 1, 'Phone', 'OTHER', 1, NULL, NULL, '2026-11-29 10:01:05.827+00', '2026-11-29 10:01:06.962+00', '2026-11-29 10:01:05.969+00', '2026-12-29 10:01:05.823+00', NULL);


--
-- Data for Name: token_keys; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.token_keys VALUES (true, '{wd0xcv78XNIb}', '2026-11-29 10:01:03.908783+00');


--
-- Data for Name: user; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public."user" VALUES (2, 'bob', 'Bob', 'bob', 2, '', '$argon2id$v=19$m=19456,t=2,p=1$6SCCRDZfLSlWHyGJdXulGw$rtGJxrWVTH183sP8UAcvqO80zy4ZP7RBSRT+vKPzstQ', NULL, NULL, 'ANYONE', 'AUTOMATIC', '2026-11-29 10:01:05.084+00', 'EVERYONE', '2026-11-29 10:01:05.084+00', NULL, DEFAULT, DEFAULT);
INSERT INTO public."user" VALUES (3, 'carol', 'Carol', 'carol', 2, '', '$argon2id$v=19$m=19456,t=2,p=1$kqQCT0YkKhiEIHFre4sFPA$ecT/2677kCP7gIZwWwLWDNLXQ2vfUqy2psdpZJ0zPik', NULL, NULL, 'ANYONE', 'AUTOMATIC', '2026-11-29 10:01:05.145+00', 'EVERYONE', '2026-11-29 10:01:05.145+00', NULL, DEFAULT, DEFAULT);
INSERT INTO public."user" VALUES (4, 'dan', 'Dan', 'dan', 2, '', '$argon2id$v=19$m=19456,t=2,p=1$YjDWKwSL3DTF6CrBKfQHTw$XyxAg92qilfzpKblXvBnSjparA0szQiIPkgW07G56Xo', NULL, NULL, 'ANYONE', 'AUTOMATIC', '2026-11-29 10:01:05.263+00', 'EVERYONE', '2026-11-29 10:01:05.263+00', NULL, DEFAULT, DEFAULT);
INSERT INTO public."user" VALUES (1, 'alice', 'Alice A.', 'alice a.', 2, 'recorded', '$argon2id$v=19$m=19456,t=2,p=1$vUHH8t7BzvwzmyTXXPvUNw$H9kMXp0q6zbDtdfZl0eV+DMESpnWlGLPwFIBalUJ8YA', NULL, NULL, 'ANYONE', 'AUTOMATIC', '2026-11-29 10:01:04.99+00', 'EVERYONE', '2026-11-29 10:01:04.99+00', NULL, DEFAULT, DEFAULT);


--
-- Name: job_queues_id_seq; Type: SEQUENCE SET; Schema: graphile_worker; Owner: -
--

SELECT pg_catalog.setval('graphile_worker.job_queues_id_seq', 1, false);


--
-- Name: jobs_id_seq1; Type: SEQUENCE SET; Schema: graphile_worker; Owner: -
--

SELECT pg_catalog.setval('graphile_worker.jobs_id_seq1', 1, true);


--
-- Name: tasks_id_seq; Type: SEQUENCE SET; Schema: graphile_worker; Owner: -
--

SELECT pg_catalog.setval('graphile_worker.tasks_id_seq', 4, true);


--
-- Name: block_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.block_id_seq', 1, true);


--
-- Name: contact_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.contact_id_seq', 1, true);


--
-- Name: conversation_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.conversation_id_seq', 3, true);


--
-- Name: invite_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.invite_id_seq', 1, true);


--
-- Name: journal_request_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.journal_request_id_seq', 13, true);


--
-- Name: push_delivery_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.push_delivery_id_seq', 1, true);


--
-- Name: push_registration_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.push_registration_id_seq', 1, true);


--
-- Name: session_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.session_id_seq', 8, true);


--
-- Name: user_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.user_id_seq', 4, true);


--
-- Name: _private_job_queues job_queues_pkey1; Type: CONSTRAINT; Schema: graphile_worker; Owner: -
--

ALTER TABLE ONLY graphile_worker._private_job_queues
    ADD CONSTRAINT job_queues_pkey1 PRIMARY KEY (id);


--
-- Name: _private_job_queues job_queues_queue_name_key; Type: CONSTRAINT; Schema: graphile_worker; Owner: -
--

ALTER TABLE ONLY graphile_worker._private_job_queues
    ADD CONSTRAINT job_queues_queue_name_key UNIQUE (queue_name);


--
-- Name: _private_jobs jobs_key_key1; Type: CONSTRAINT; Schema: graphile_worker; Owner: -
--

ALTER TABLE ONLY graphile_worker._private_jobs
    ADD CONSTRAINT jobs_key_key1 UNIQUE (key);


--
-- Name: _private_jobs jobs_pkey1; Type: CONSTRAINT; Schema: graphile_worker; Owner: -
--

ALTER TABLE ONLY graphile_worker._private_jobs
    ADD CONSTRAINT jobs_pkey1 PRIMARY KEY (id);


--
-- Name: _private_known_crontabs known_crontabs_pkey; Type: CONSTRAINT; Schema: graphile_worker; Owner: -
--

ALTER TABLE ONLY graphile_worker._private_known_crontabs
    ADD CONSTRAINT known_crontabs_pkey PRIMARY KEY (identifier);


--
-- Name: migrations migrations_pkey; Type: CONSTRAINT; Schema: graphile_worker; Owner: -
--

ALTER TABLE ONLY graphile_worker.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (id);


--
-- Name: _private_tasks tasks_identifier_key; Type: CONSTRAINT; Schema: graphile_worker; Owner: -
--

ALTER TABLE ONLY graphile_worker._private_tasks
    ADD CONSTRAINT tasks_identifier_key UNIQUE (identifier);


--
-- Name: _private_tasks tasks_pkey; Type: CONSTRAINT; Schema: graphile_worker; Owner: -
--

ALTER TABLE ONLY graphile_worker._private_tasks
    ADD CONSTRAINT tasks_pkey PRIMARY KEY (id);


--
-- Name: _prisma_migrations _prisma_migrations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public._prisma_migrations
    ADD CONSTRAINT _prisma_migrations_pkey PRIMARY KEY (id);


--
-- Name: acknowledgement acknowledgement_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.acknowledgement
    ADD CONSTRAINT acknowledgement_pkey PRIMARY KEY (session_id);


--
-- Name: audience audience_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audience
    ADD CONSTRAINT audience_pkey PRIMARY KEY (conversation_id, user_id, from_position);


--
-- Name: block block_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.block
    ADD CONSTRAINT block_id_key UNIQUE (id);


--
-- Name: block block_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.block
    ADD CONSTRAINT block_pkey PRIMARY KEY (blocker_id, blocked_id);


--
-- Name: contact contact_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.contact
    ADD CONSTRAINT contact_id_key UNIQUE (id);


--
-- Name: contact contact_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.contact
    ADD CONSTRAINT contact_pkey PRIMARY KEY (low_id, high_id);


--
-- Name: conversation conversation_direct_low_direct_high_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversation
    ADD CONSTRAINT conversation_direct_low_direct_high_key UNIQUE (direct_low, direct_high);


--
-- Name: conversation_head conversation_head_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversation_head
    ADD CONSTRAINT conversation_head_pkey PRIMARY KEY (conversation_id);


--
-- Name: conversation conversation_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.conversation
    ADD CONSTRAINT conversation_pkey PRIMARY KEY (id);


--
-- Name: departure departure_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.departure
    ADD CONSTRAINT departure_pkey PRIMARY KEY (conversation_id, user_id);


--
-- Name: fact fact_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.fact
    ADD CONSTRAINT fact_pkey PRIMARY KEY ("position");


--
-- Name: function_release function_release_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.function_release
    ADD CONSTRAINT function_release_pkey PRIMARY KEY (one);


--
-- Name: invite invite_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.invite
    ADD CONSTRAINT invite_pkey PRIMARY KEY (id);


--
-- Name: invite invite_token_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.invite
    ADD CONSTRAINT invite_token_key UNIQUE (token);


--
-- Name: journal journal_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.journal
    ADD CONSTRAINT journal_pkey PRIMARY KEY (one);


--
-- Name: journal_request journal_request_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.journal_request
    ADD CONSTRAINT journal_request_pkey PRIMARY KEY (id);


--
-- Name: member member_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.member
    ADD CONSTRAINT member_pkey PRIMARY KEY (conversation_id, user_id);


--
-- Name: mention mention_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.mention
    ADD CONSTRAINT mention_pkey PRIMARY KEY (user_id, conversation_id, seq);


--
-- Name: message message_client_message_id_sender_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message
    ADD CONSTRAINT message_client_message_id_sender_id_key UNIQUE (client_message_id, sender_id);


--
-- Name: message message_conversation_id_seq_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message
    ADD CONSTRAINT message_conversation_id_seq_key UNIQUE (conversation_id, seq);


--
-- Name: message message_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message
    ADD CONSTRAINT message_pkey PRIMARY KEY (id);


--
-- Name: message_search message_search_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message_search
    ADD CONSTRAINT message_search_pkey PRIMARY KEY (message_id);


--
-- Name: message_search_progress message_search_progress_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message_search_progress
    ADD CONSTRAINT message_search_progress_pkey PRIMARY KEY (one);


--
-- Name: message_version message_version_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.message_version
    ADD CONSTRAINT message_version_pkey PRIMARY KEY (message_id, version);


--
-- Name: pin pin_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pin
    ADD CONSTRAINT pin_pkey PRIMARY KEY (conversation_id, message_id);


--
-- Name: push_delivery push_delivery_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.push_delivery
    ADD CONSTRAINT push_delivery_pkey PRIMARY KEY (id);


--
-- Name: push_progress push_progress_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.push_progress
    ADD CONSTRAINT push_progress_pkey PRIMARY KEY (one);


--
-- Name: push_registration push_registration_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.push_registration
    ADD CONSTRAINT push_registration_pkey PRIMARY KEY (id);


--
-- Name: push_registration push_registration_provider_platform_endpoint_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.push_registration
    ADD CONSTRAINT push_registration_provider_platform_endpoint_key UNIQUE (provider, platform, endpoint);


--
-- Name: push_registration push_registration_session_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.push_registration
    ADD CONSTRAINT push_registration_session_id_key UNIQUE (session_id);


--
-- Name: push_settings push_settings_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.push_settings
    ADD CONSTRAINT push_settings_pkey PRIMARY KEY (user_id);


--
-- Name: push_worker push_worker_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.push_worker
    ADD CONSTRAINT push_worker_pkey PRIMARY KEY (id);


--
-- Name: reaction reaction_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.reaction
    ADD CONSTRAINT reaction_pkey PRIMARY KEY (message_id, emoji, user_id);


--
-- Name: read_marker read_marker_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.read_marker
    ADD CONSTRAINT read_marker_pkey PRIMARY KEY (conversation_id, user_id);


--
-- Name: session session_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.session
    ADD CONSTRAINT session_pkey PRIMARY KEY (id);


--
-- Name: session session_user_id_external_key_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.session
    ADD CONSTRAINT session_user_id_external_key_key UNIQUE (user_id, external_key);


--
-- Name: token_keys token_keys_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.token_keys
    ADD CONSTRAINT token_keys_pkey PRIMARY KEY (one);


--
-- Name: user user_issuer_subject_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public."user"
    ADD CONSTRAINT user_issuer_subject_key UNIQUE (issuer, subject);


--
-- Name: user user_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public."user"
    ADD CONSTRAINT user_pkey PRIMARY KEY (id);


--
-- Name: user user_skeleton; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public."user"
    ADD CONSTRAINT user_skeleton UNIQUE (skeleton);


--
-- Name: user user_username_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public."user"
    ADD CONSTRAINT user_username_key UNIQUE (username);


--
-- Name: jobs_main_index; Type: INDEX; Schema: graphile_worker; Owner: -
--

CREATE INDEX jobs_main_index ON graphile_worker._private_jobs USING btree (priority, run_at) INCLUDE (id, task_id, job_queue_id) WHERE (is_available = true);


--
-- Name: jobs_no_queue_index; Type: INDEX; Schema: graphile_worker; Owner: -
--

CREATE INDEX jobs_no_queue_index ON graphile_worker._private_jobs USING btree (priority, run_at) INCLUDE (id, task_id) WHERE ((is_available = true) AND (job_queue_id IS NULL));


--
-- Name: audience_by_user; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX audience_by_user ON public.audience USING btree (user_id, conversation_id);


--
-- Name: audience_current; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX audience_current ON public.audience USING btree (conversation_id, user_id) WHERE (to_position IS NULL);


--
-- Name: block_by_blocked; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX block_by_blocked ON public.block USING btree (blocked_id);


--
-- Name: contact_by_high; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX contact_by_high ON public.contact USING btree (high_id);


--
-- Name: departure_by_user; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX departure_by_user ON public.departure USING btree (user_id);


--
-- Name: fact_by_conversation; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX fact_by_conversation ON public.fact USING btree (conversation_id, "position") WHERE (conversation_id IS NOT NULL);


--
-- Name: fact_by_user; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX fact_by_user ON public.fact USING btree (user_id, "position") WHERE (user_id IS NOT NULL);


--
-- Name: invite_by_conversation; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX invite_by_conversation ON public.invite USING btree (conversation_id, id);


--
-- Name: member_by_user; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX member_by_user ON public.member USING btree (user_id);


--
-- Name: member_one_owner; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX member_one_owner ON public.member USING btree (conversation_id) WHERE (role = 'OWNER'::public.member_role);


--
-- Name: message_search_scope; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX message_search_scope ON public.message_search USING btree (conversation_id);


--
-- Name: message_search_terms; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX message_search_terms ON public.message_search USING gin (terms) WITH (fastupdate=off);


--
-- Name: push_delivery_by_age; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX push_delivery_by_age ON public.push_delivery USING btree (decided_at);


--
-- Name: push_delivery_by_user; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX push_delivery_by_user ON public.push_delivery USING btree (user_id, id);


--
-- Name: push_delivery_failed; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX push_delivery_failed ON public.push_delivery USING btree (id) WHERE (outcome = 'FAILED'::public.push_outcome);


--
-- Name: push_delivery_once; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX push_delivery_once ON public.push_delivery USING btree (message_id, user_id, COALESCE(registration_id, (0)::bigint)) WHERE (message_id IS NOT NULL);


--
-- Name: push_delivery_shown; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX push_delivery_shown ON public.push_delivery USING btree (user_id, conversation_id) WHERE ((kind = 'MESSAGE'::public.push_kind) AND (outcome = ANY (ARRAY['QUEUED'::public.push_outcome, 'SENT'::public.push_outcome])) AND (cleared_at IS NULL));


--
-- Name: push_registration_by_user; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX push_registration_by_user ON public.push_registration USING btree (user_id);


--
-- Name: session_revoked; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX session_revoked ON public.session USING btree (revoked_at) WHERE (revoked_at IS NOT NULL);


--
-- Name: user_search; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX user_search ON public."user" USING gin (search_text public.gin_trgm_ops);


--
-- Name: journal_request journal_number; Type: TRIGGER; Schema: public; Owner: -
--

CREATE CONSTRAINT TRIGGER journal_number AFTER INSERT ON public.journal_request DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.journal_number();


--
-- Name: acknowledgement acknowledgement_session_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.acknowledgement
    ADD CONSTRAINT acknowledgement_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.session(id) ON DELETE CASCADE;


--
-- Name: block block_blocked_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.block
    ADD CONSTRAINT block_blocked_id_fkey FOREIGN KEY (blocked_id) REFERENCES public."user"(id) ON DELETE CASCADE;


--
-- Name: block block_blocker_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.block
    ADD CONSTRAINT block_blocker_id_fkey FOREIGN KEY (blocker_id) REFERENCES public."user"(id) ON DELETE CASCADE;


--
-- Name: contact contact_high_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.contact
    ADD CONSTRAINT contact_high_id_fkey FOREIGN KEY (high_id) REFERENCES public."user"(id) ON DELETE CASCADE;


--
-- Name: contact contact_low_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.contact
    ADD CONSTRAINT contact_low_id_fkey FOREIGN KEY (low_id) REFERENCES public."user"(id) ON DELETE CASCADE;


--
-- Name: departure departure_conversation_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.departure
    ADD CONSTRAINT departure_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversation(id) ON DELETE CASCADE;


--
-- Name: invite invite_conversation_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.invite
    ADD CONSTRAINT invite_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversation(id) ON DELETE CASCADE;


--
-- Name: invite invite_created_by_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.invite
    ADD CONSTRAINT invite_created_by_fkey FOREIGN KEY (created_by) REFERENCES public."user"(id);


--
-- Name: member member_conversation_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.member
    ADD CONSTRAINT member_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES public.conversation(id) ON DELETE CASCADE;


--
-- Name: member member_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.member
    ADD CONSTRAINT member_user_id_fkey FOREIGN KEY (user_id) REFERENCES public."user"(id);


--
-- Name: push_delivery push_delivery_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.push_delivery
    ADD CONSTRAINT push_delivery_user_id_fkey FOREIGN KEY (user_id) REFERENCES public."user"(id) ON DELETE CASCADE;


--
-- Name: push_registration push_registration_session_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.push_registration
    ADD CONSTRAINT push_registration_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.session(id) ON DELETE CASCADE;


--
-- Name: push_registration push_registration_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.push_registration
    ADD CONSTRAINT push_registration_user_id_fkey FOREIGN KEY (user_id) REFERENCES public."user"(id) ON DELETE CASCADE;


--
-- Name: push_settings push_settings_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.push_settings
    ADD CONSTRAINT push_settings_user_id_fkey FOREIGN KEY (user_id) REFERENCES public."user"(id) ON DELETE CASCADE;


--
-- Name: session session_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.session
    ADD CONSTRAINT session_user_id_fkey FOREIGN KEY (user_id) REFERENCES public."user"(id) ON DELETE CASCADE;


--
-- Name: _private_job_queues; Type: ROW SECURITY; Schema: graphile_worker; Owner: -
--

ALTER TABLE graphile_worker._private_job_queues ENABLE ROW LEVEL SECURITY;

--
-- Name: _private_jobs; Type: ROW SECURITY; Schema: graphile_worker; Owner: -
--

ALTER TABLE graphile_worker._private_jobs ENABLE ROW LEVEL SECURITY;

--
-- Name: _private_known_crontabs; Type: ROW SECURITY; Schema: graphile_worker; Owner: -
--

ALTER TABLE graphile_worker._private_known_crontabs ENABLE ROW LEVEL SECURITY;

--
-- Name: _private_tasks; Type: ROW SECURITY; Schema: graphile_worker; Owner: -
--

ALTER TABLE graphile_worker._private_tasks ENABLE ROW LEVEL SECURITY;

--
-- PostgreSQL database dump complete
--


