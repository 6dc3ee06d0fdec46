-- The push services of phones.
alter type push_provider add value if not exists 'FCM';
alter type push_provider add value if not exists 'APNS';
