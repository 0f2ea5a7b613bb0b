#include "kinds.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 253
#define KEY_SIZE 512

static void free_kind(struct kind *kind)
{
  if (!kind) return;
  free(kind->api_version);
  free(kind->name);
  free(kind->plural);
  free(kind);
}

void kinds_close(struct kinds *kinds)
{
  struct map_walk walk = { 0 };
  struct kind *kind;
  while ((kind = map_next(&kinds->map, &walk))) free_kind(kind);
  map_close(&kinds->map);
}

static bool is_word(const char *text, const char *others)
{
  size_t len = strlen(text);
  if (!len || len > NAME_MAX_BYTES) return false;
  for (; *text; text++) {
    if (!isalnum((unsigned char)*text) && !strchr(others, *text)) return false;
  }
  return true;
}

/* "v1" or "group.name/v1" */
static bool is_api_version(const char *text)
{
  const char *slash = strchr(text, '/');
  if (!is_word(text, ".-/") || strstr(text, "..") || text[0] == '.' || text[0] == '/') return false;
  return !slash || (slash[1] && slash[1] != '.' && !strchr(slash + 1, '/'));
}

static enum status check(const char *api_version, const char *name, struct reason *why)
{
  if (!is_api_version(api_version))
    return reason_set(why, INVALID, "'%s' is no apiVersion", api_version);
  if (!is_word(name, "")) return reason_set(why, INVALID, "'%s' is no kind", name);
  return OK;
}

static struct kind *new_kind(const struct kind *from)
{
  struct kind *kind = calloc(1, sizeof *kind);
  if (!kind) return NULL;
  *kind = *from;
  kind->api_version = strdup(from->api_version);
  kind->name = strdup(from->name);
  kind->plural = strdup(from->plural);
  if (kind->api_version && kind->name && kind->plural) return kind;
  free_kind(kind);
  return NULL;
}

static enum status add(
  struct kinds *kinds, const char *key, const struct kind *from, struct reason *why)
{
  if (kinds->map.count >= KINDS_MAX)
    return reason_set(why, INVALID, "more than %d kinds are in use", KINDS_MAX);
  struct kind *kind = new_kind(from);
  if (kind && map_put(&kinds->map, key, kind)) return OK;
  free_kind(kind);
  return reason_set(why, NO_MEMORY, "no memory for a kind");
}

enum status kinds_declare(struct kinds *kinds, const struct kind *from, struct reason *why)
{
  char key[KEY_SIZE];
  if (check(from->api_version, from->name, why)) return INVALID;
  if (!is_word(from->plural, ".-"))
    return reason_set(why, INVALID, "'%s' is no plural", from->plural);
  snprintf(key, sizeof key, "%s/%s", from->api_version, from->name);
  struct kind *known = map_get(&kinds->map, key);
  if (!known) return add(kinds, key, from, why);
  char *plural = strdup(from->plural);
  if (!plural) return reason_set(why, NO_MEMORY, "no memory for a kind");
  free(known->plural);
  known->plural = plural;
  known->namespaced = from->namespaced;
  known->metadata = from->metadata;
  known->always = from->always;
  known->route = from->route;
  return OK;
}

static bool ends_in(const char *text, const char *end)
{
  size_t len = strlen(text), n = strlen(end);
  return len >= n && !strcmp(text + len - n, end);
}

/* English, as API groups mostly are: proxies, gateways, classes, meshes. */
static void guess_plural(const char *name, char *out, size_t size)
{
  size_t len = strlen(name);
  char before = len > 1 ? name[len - 2] : 'a';
  if (ends_in(name, "y") && !strchr("aeiou", before))
    snprintf(out, size, "%.*sies", (int)(len - 1), name);
  else if (ends_in(name, "s") || ends_in(name, "x") || ends_in(name, "ch") || ends_in(name, "sh"))
    snprintf(out, size, "%ses", name);
  else snprintf(out, size, "%ss", name);
  for (; *out; out++) *out = (char)tolower((unsigned char)*out);
}

const struct kind *kinds_find(
  struct kinds *kinds, const char *api_version, const char *name, struct reason *why)
{
  char key[KEY_SIZE], plural[NAME_MAX_BYTES + 8];
  if (check(api_version, name, why)) return NULL;
  snprintf(key, sizeof key, "%s/%s", api_version, name);
  struct kind *kind = map_get(&kinds->map, key);
  if (kind) return kind;
  guess_plural(name, plural, sizeof plural);
  struct kind guess = { (char *)api_version, (char *)name, plural, .namespaced = true };
  if (add(kinds, key, &guess, why)) return NULL;
  return map_get(&kinds->map, key);
}

static bool is_segment(const char *text)
{
  size_t len = strlen(text);
  if (!len || len > NAME_MAX_BYTES || !strcmp(text, ".") || !strcmp(text, "..")) return false;
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (c <= ' ' || c == 0x7f || c == '/' || c == '%') return false;
  }
  return true;
}

static enum status add_segment(struct buf *out, const char *text)
{
  enum status status = buf_adds(out, "/");
  for (; *text && !status; text++) {
    unsigned char c = (unsigned char)*text;
    if (isalnum(c) || strchr("-._~", c)) status = buf_add(out, text, 1);
    else status = buf_addf(out, "%%%02X", c);
  }
  return status;
}

enum status kind_path(const struct kind *kind, const char *space, const char *name,
  const char *subresource, struct buf *out, struct reason *why)
{
  bool scoped = kind->namespaced && space[0];
  if (name && kind->namespaced && !space[0])
    return reason_set(why, INVALID, "%s %s has no namespace", kind->name, name);
  if (scoped && !is_segment(space))
    return reason_set(why, INVALID, "'%s' cannot be a namespace", space);
  if (name && !is_segment(name))
    return reason_set(why, INVALID, "'%s' cannot be the name of a %s", name, kind->name);
  if (subresource && !is_word(subresource, "-"))
    return reason_set(why, INVALID, "'%s' is no subresource", subresource);
  enum status status =
    buf_addf(out, "/%s/%s", strchr(kind->api_version, '/') ? "apis" : "api", kind->api_version);
  if (!status && scoped) status = buf_adds(out, "/namespaces");
  if (!status && scoped) status = add_segment(out, space);
  if (!status) status = add_segment(out, kind->plural);
  if (!status && name) status = add_segment(out, name);
  if (!status && subresource) status = add_segment(out, subresource);
  return status ? reason_set(why, status, "the path of a %s is too long", kind->name) : OK;
}
