"""Validates YAML files against schemas; says what is wrong with each document, and fails.

    schemas.py json SCHEMA FILE...               against a JSON schema
    schemas.py kubernetes VERSION CRDS FILE...   against Kubernetes' own schemas, and definitions of
                                                 custom resources in the directory CRDS

Needs the packages jsonschema, PyYAML and kubernetes-validate. Says at its end how many documents
it has seen.
"""

import json
import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml

# The custom resources that are spoken of.
CUSTOM = ["servicemonitors", "prometheusrules"]


# With duplicate keys one of two values would be lost without a word.
class Loader(yaml.SafeLoader):
    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is there twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def strict(schema):
    """The same, without room for keys that it does not name: the API server would drop them."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: strict(part) for key, part in schema.items()}
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(schema.get("properties"), dict) and not open_ended:
        schema.setdefault("additionalProperties", False)
    return schema


def definitions(directory):
    """The schema of each custom resource, by apiVersion and kind."""
    found = {}
    for name in CUSTOM:
        path = pathlib.Path(directory, f"monitoring.coreos.com_{name}.yaml")
        definition = yaml.load(path.read_text(), yaml.CSafeLoader)
        spec = definition["spec"]
        for version in spec["versions"]:
            schema = strict(version["schema"]["openAPIV3Schema"])
            # They say nothing of what all objects have.
            schema["properties"]["metadata"] = {"type": "object", "required": ["name"]}
            name = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
            found[name] = jsonschema.Draft7Validator(schema)
    return found


def mistakes(validator, document):
    for error in validator.iter_errors(document):
        yield f"{'.'.join(map(str, error.absolute_path))}: {error.message}"


def of_kubernetes(version, custom, document):
    name = document.get("apiVersion"), document.get("kind")
    if name in custom:
        yield from mistakes(custom[name], document)
        return
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{error.path}: {error.message}"
    except (kubernetes_validate.InvalidSchemaError, kubernetes_validate.SchemaNotFoundError) as error:
        yield str(error)


def main(kind, *arguments):
    if kind == "json":
        schema, *files = arguments
        schema = json.loads(pathlib.Path(schema).read_text())
        validator = jsonschema.validators.validator_for(schema)(schema)
        check = lambda document: mistakes(validator, document)
    else:
        version, crds, *files = arguments
        custom = definitions(crds)
        check = lambda document: of_kubernetes(version, custom, document)
    seen = wrong = 0
    for file in files:
        for document in yaml.load_all(pathlib.Path(file).read_text(), Loader):
            if document is None:
                continue
            seen += 1
            for mistake in check(document):
                wrong += 1
                name = document.get("metadata", {}).get("name", "")
                print(f"{file}: {document.get('kind', '')} {name}: {mistake}")
    print(f"{seen} documents, {wrong} mistakes")
    sys.exit(wrong > 0)


main(*sys.argv[1:])
