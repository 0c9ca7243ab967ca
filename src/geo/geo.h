/* Where addresses are: databases in MaxMind's format (MaxMind DB 2.0), such as GeoLite2-City and GeoLite2-ASN, which the
 * operator provides.
 *
 *	203.0.113.9 -> { country: { iso_code: "SE" }, city: { names: { en: "Lulea" } },
 *	                 location: { latitude: 65.6, longitude: 22.2, accuracy_radius: 20 } }
 *	            -> { autonomous_system_number: 64500, autonomous_system_organization: "Example" }
 *
 * Files are opened and mapped once, before the process confines itself; looking up reads that memory alone. They are trusted
 * as far as the configuration is. */
#ifndef MM_GEO_GEO_H
#define MM_GEO_GEO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

enum { MM_GEO_TEXT = 64, MM_GEO_WHY = 256 };

struct mm_geo;

/** What is known of an address; texts are NUL-terminated and safe to print, "" where nothing is. */
struct mm_geo_place {
	bool located;
	double lat, lon;  /* degrees */
	double radius_km; /* the address is as a rule within it */
	char country[3];  /* ISO 3166-1 alpha-2 */
	char city[MM_GEO_TEXT];
	uint32_t as_number; /* 0: not known */
	char as_name[MM_GEO_TEXT];
};

/** Open the databases, each NULL or a path. MM_ERR_IO, MM_ERR_FORMAT, MM_ERR_NOMEM: why says which and why. */
int mm_geo_open(const char *places, const char *systems, struct mm_geo **out,
        char why[MM_GEO_WHY]) MM_MUST_CHECK;
void mm_geo_free(struct mm_geo *geo);

/** What is known of the address; nothing where geo is NULL. */
void mm_geo_find(const struct mm_geo *geo, const struct mm_addr *addr, struct mm_geo_place *place);

/** Kilometres between two points on a sphere of the Earth's mean radius. */
double mm_geo_km(double lat_a, double lon_a, double lat_b, double lon_b);

#endif
