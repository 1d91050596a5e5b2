"""Reads and writes minicloud's database with Nova's own SQLAlchemy models.

Usage: sqlalchemy-models.py DATABASE
Prints one JSON object: rows read by table, and the row that was written.
"""
import json
import sys

import sqlalchemy
from nova.db.api import models as api_models
from nova.db.main import models as main_models
from sqlalchemy import orm

engine = sqlalchemy.create_engine("sqlite:///" + sys.argv[1])
inspector = sqlalchemy.inspect(engine)
present = set(inspector.get_table_names()) | set(inspector.get_view_names())
session = orm.Session(engine)

read = {}
missing = {}
for base in (main_models.BASE, api_models.BASE):
    for mapper in base.registry.mappers:
        table = mapper.local_table.name
        if table not in present or table.startswith("shadow_"):
            continue
        have = {column["name"] for column in sqlalchemy.inspect(engine).get_columns(table)}
        lacking = sorted(set(column.name for column in mapper.local_table.columns) - have)
        if lacking:
            missing[table] = lacking
            continue
        rows = session.query(mapper.class_).all()
        read[table] = max(read.get(table, 0), len(rows))

instance = session.query(main_models.Instance).filter_by(display_name="web1", deleted=0).one()
facts = {
    "uuid": instance.uuid,
    "vm_state": instance.vm_state,
    "created_at": instance.created_at.isoformat(),
    "launched_at": instance.launched_at.isoformat(),
    "locked": instance.locked,
    "flavor": json.loads(instance.extra.flavor)["cur"]["nova_object.data"]["name"],
    "ports": len(json.loads(instance.info_cache.network_info)),
    "metadata": {
        row.key: row.value
        for row in session.query(main_models.InstanceMetadata).filter_by(instance_uuid=instance.uuid, deleted=0)
    },
}

flavor = api_models.Flavors(
    name="from-nova", flavorid="nova-1", memory_mb=64, vcpus=1, root_gb=0, ephemeral_gb=0, swap=0,
    rxtx_factor=1.0, disabled=False, is_public=True, description="written by Nova's models",
)
session.add(flavor)
session.add(main_models.InstanceMetadata(instance_uuid=instance.uuid, key="from", value="nova", deleted=0))
instance.display_description = "changed by Nova's models"
session.commit()
print(json.dumps({"read": read, "missing": missing, "instance": facts}))
