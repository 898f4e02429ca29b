-- A cast that gives NULL instead of an error, for PostgreSQL 15. Newer servers have their own way.

create function pipeline.try_cast(value text, result anyelement) returns anyelement
language plpgsql immutable parallel safe as $$
begin
    result := value;
    return result;
exception when data_exception then
    return null;
end
$$;
